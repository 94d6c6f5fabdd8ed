"""Stories of fitness cards: what a test of a model changes is shown with its reason, and can be undone."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mmos.fitness.card import Card, Marks
from mmos.fitness.cases import CASES
from mmos.fitness.shelf import Shelf
from mmos.rehearsal import Host, Model
from tests.fleets import fleet_at
from tests.test_fitness import in_schema, model

WORSE, BETTER = Marks(10, 2, 2, 1, 0, 2, 0), Marks(10, 9, 9, 7, 0, 2, 2)
MODEL = Model("general:7b", size=4 << 30, parameter_size="7.6B", family="qwen2")


def card(host: str, tools: Marks = WORSE, schema: Marks = BETTER, *, digest: str = "") -> Card:
    return Card("general:7b", host, 1_764_374_400.0, digest, {"tools": tools, "schema": schema})


async def test_a_test_that_changes_the_channel_is_shown_with_its_reason_and_undone(tmp_path: Path) -> None:
    answer = json.dumps({"answer": "So it is."})
    host = Host("one", [model([*["I cannot say."] * len(CASES), *map(in_schema, CASES), answer, "Plain."])])
    async with fleet_at(tmp_path, host, roles={"arbiter": {"model": "tried", "server": "one"}}) as at:
        tested = await at.mmos("models", "test", "tried", "--no-probe")
        shown, told = await at.mmos("config", "show"), await at.mmos("config", "show", "--json")
        model_shown, doctored = await at.mmos("models", "show", "tried"), await at.mmos("doctor", "--json")
        ran = await at.mmos("run", "Is it so?")
        asked = json.loads(host.requests[-1].body)
        forgotten = await at.mmos("models", "test", "--forget", "tried@one")
        afterwards = await at.mmos("config", "show")
        again = await at.mmos("run", "Is it so?")
    assert tested.code == 0
    reason = r"models test on one, \d{4}-\d\d-\d\d: tools 17 % against schema 100 %"
    assert re.search(rf"    channel: schema  # {reason}\n", shown.out)
    assert re.fullmatch(reason, told.document["sources"]["orchestration.arbiter.channel"])
    assert re.search(r"tested +\d{4}-\d\d-\d\d: tools 17 % against schema 100 %\n +channel +schema", model_shown.out)
    assert re.search(reason, next(one["message"] for one in doctored.document["findings"] if one["code"] == "channel_measured"))
    assert (ran.out, "tools" in asked) == ("So it is.\n", False)
    assert (forgotten.code, "Forgot the card of tried on one" in forgotten.out) == (0, True)
    assert "channel:" not in afterwards.out
    assert again.out == "Plain.\n"
    assert json.loads(host.requests[-1].body)["tools"]


async def test_the_card_of_another_host_decides_nothing(tmp_path: Path) -> None:
    shelf = Shelf.of_state(tmp_path / ".mmos")
    shelf.put(card("two"))
    roles = {"arbiter": {"model": "general:7b", "server": "one"}, "coding": {"model": "general:7b", "server": "two"}}
    async with fleet_at(tmp_path, Host("one", [MODEL]), Host("two", [MODEL]), roles=roles) as at:
        told = await at.mmos("config", "show", "--json")
        with_both = (tmp_path / "both.yaml").write_text(
            (tmp_path / "orchestration.yaml").read_text().replace("server: one", "server: [one, two]")
        )
        assert with_both
        shelf.put(card("one", tools=Marks(10, 10, 10, 10, 0, 2, 2), schema=Marks(10, 8, 8, 6, 0, 2, 2)))
        differing = await at.mmos("config", "show", "--json", "-c", "both.yaml")
    assert "channel" not in told.document["orchestration"]["arbiter"]
    assert told.document["orchestration"]["specialists"]["coding"]["channel"] == "schema"
    assert differing.document["orchestration"]["arbiter"]["channel"] == "schema"
    why = differing.document["sources"]["orchestration.arbiter.channel"]
    assert why.endswith("these differ, and schema is better where each does worst")
    assert "on one" in why
    assert "on two" in why


async def test_a_card_of_another_version_of_the_model_says_so(tmp_path: Path) -> None:
    Shelf.of_state(tmp_path / ".mmos").put(card("one", digest="of another model"))
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at:
        shown = await at.mmos("models", "show", "general:7b")
        told = await at.mmos("models", "show", "general:7b", "--json")
    assert "another version of this model, so the card has no effect" in shown.out
    assert "mmos models test general:7b --host one" in shown.out
    assert told.document["hosts"][0]["fitness"]["current"] is False


async def test_a_model_with_bad_marks_suits_nothing_here(tmp_path: Path) -> None:
    host = Host("one", [model(["I cannot say."] * len(CASES))])
    async with fleet_at(tmp_path, host) as at:
        tested = await at.mmos("models", "test", "tried", "--channel", "tools", "--no-probe")
    assert "17 % of the cases" in tested.out
    assert "suits     nothing here: a specialist that calls tools needs 40 %, an arbiter 70 %" in tested.out


async def test_what_cannot_be_read_is_told_and_stops_nothing(tmp_path: Path) -> None:
    shelf = Shelf.of_state(tmp_path / ".mmos")
    damaged = shelf.put(card("one"))
    damaged.write_text("{")
    async with fleet_at(tmp_path, Host("one", [Model.scripted("general:7b", ["Fine."])])) as at:
        ran, shown, doctored = await at.mmos("run", "Hello."), await at.mmos("config", "show"), await at.mmos("doctor", "--json")
        forgotten = await at.mmos("models", "test", "--forget", "--all", "--json")
    assert (ran.code, ran.out) == (0, "Fine.\n")
    assert damaged.name in ran.err
    assert (shown.code, damaged.name in shown.err) == (0, True)
    assert "card_damaged" in {one["code"] for one in doctored.document["findings"]}
    assert (forgotten.document["forgotten"], forgotten.document["damaged"]) == ([], [str(damaged)])
    assert not damaged.exists()


async def test_to_forget_what_is_not_there_names_what_is(tmp_path: Path) -> None:
    Shelf.of_state(tmp_path / ".mmos").put(card("one"))
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at:
        wrong = await at.mmos("models", "test", "--forget", "general:8b")
        neither = await at.mmos("models", "test", "--forget")
        everything = await at.mmos("models", "test", "--forget", "--all")
        nothing = await at.mmos("models", "test", "--forget", "--all")
    assert (wrong.code, "Cards: general:7b@one" in wrong.err) == (2, True)
    assert (neither.code, "--forget --all" in neither.err) == (2, True)
    assert (everything.code, "general:7b on one" in everything.out) == (0, True)
    assert (nothing.code, "no fitness cards" in nothing.err) == (0, True)

"""The trial of a model, its card, and the channel that follows from it; over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmos.app import open_app
from mmos.errors import HostError
from mmos.fitness.card import Card, Marks
from mmos.fitness.cases import CASES, Case
from mmos.fitness.shelf import Shelf
from mmos.fitness.trial import Step, Trial
from mmos.fitness.verdict import verdict
from mmos.fleet.fleet import Fleet
from mmos.messages import ToolCall
from mmos.prompting.templates import Templates
from mmos.rehearsal.faults import Fault
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model, Turn
from mmos.rehearsal.server import serve
from mmos.testing import Call, configuration, stage

HELD = 4096


def right(case: Case) -> list[Call]:
    asked = {"query": case.request} if case.name == "a specialist" else {}
    return [
        Call(expected.tool, {**asked, **{name: values[0] for name, values in expected.arguments.items()}}) for expected in case.expected
    ]


def in_tools(case: Case) -> Turn:
    return right(case) or "Fine, thank you."  # type: ignore[return-value]


def in_schema(case: Case) -> str:
    rows = [{"tool": call.tool, "arguments": call.arguments} for call in right(case)]
    return json.dumps({"calls": rows} if rows else {"answer": "Fine."})


def leaked(case: Case) -> str:
    return "\n".join(json.dumps({"name": call.tool, "arguments": call.arguments}) for call in right(case)) or "Fine."


def model(tools: list[Any], **more: Any) -> Model:
    return Model.scripted("tried", [*tools, *([["Yes."]] * 4)], **more)


async def trial(one: Model, *, channels: tuple[Any, ...] = ("tools",), probe: bool = False, steps: list[Step] | None = None) -> Card:
    told = [] if steps is None else steps
    async with serve(Host("here", [one])) as url, Fleet.open({"here": {"url": url}}) as fleet:
        return await Trial(fleet, "tried", "here", HELD, Templates().text("schema"), tell=told.append).run(channels, probe=probe)


async def test_a_model_that_does_all_right_has_full_marks() -> None:
    steps: list[Step] = []
    card = await trial(model([in_tools(case) for case in CASES]), steps=steps)
    marks = card.channels["tools"]
    assert (marks.valid, marks.named, marks.right, marks.repaired) == (10, 10, 10, 0)
    assert (marks.left, marks.to_leave, marks.failed) == (2, 2, 0)
    assert card.score == 1.0
    assert card.channel == "tools"
    assert "arbiter" in card.suits
    assert [step.number for step in steps] == list(range(1, len(CASES) + 1))
    assert all(step.ok for step in steps)


async def test_calls_written_as_text_are_read_and_counted_as_repaired() -> None:
    card = await trial(model([leaked(case) for case in CASES]))
    marks = card.channels["tools"]
    assert marks.right == 10
    assert marks.repaired == 10


async def test_wrong_calls_and_idle_ones_lose_marks() -> None:
    card = await trial(model([Call("get_weather", {"city": "Paris"}) for _ in CASES]))
    marks = card.channels["tools"]
    assert marks.right == 0
    assert marks.named == 2  # one tool was the right one, with another city; two calls were wanted, and one came
    assert marks.left == 0
    assert card.suits == ()


async def test_a_model_without_tools_is_tried_in_schema_mode_alone() -> None:
    card = await trial(model([in_schema(case) for case in CASES], capabilities=("completion",)), channels=("tools", "schema"))
    assert not card.channels["tools"].judged
    assert "tools" in card.channels["tools"].why
    assert card.channels["schema"].right == 10
    assert card.channel == "schema"


async def test_schema_mode_is_chosen_where_it_is_clearly_better() -> None:
    card = await trial(model([*["I cannot say."] * len(CASES), *[in_schema(case) for case in CASES]]), channels=("tools", "schema"))
    assert card.channels["tools"].right == 0
    assert card.channels["tools"].left == 2
    assert card.channel == "schema"


async def test_the_window_is_what_the_host_really_reads() -> None:
    held = await trial(model([in_tools(case) for case in CASES]), probe=True)
    assert held.window_held == held.window_asked == HELD
    cut = await trial(model([in_tools(case) for case in CASES], context_length=1024), probe=True)
    assert cut.window_held is not None
    assert cut.window_held <= 1024


def test_spelling_does_not_make_a_call_wrong() -> None:
    case = next(case for case in CASES if case.name == "a list")
    assert case.is_met((ToolCall("", "add_numbers", {"numbers": [12.5, 7.0, 30]}),))
    assert not case.is_met((ToolCall("", "add_numbers", {"numbers": [12.5, 7]}),))
    assert not case.is_met((ToolCall("", "add_numbers", {"numbers": [12.5, 7, 30]}), ToolCall("", "get_time", {})))


# ---------------------------------------------------------------- cards


def card(channels: Mapping[str, Marks], *, model: str = "tried:latest", host: str = "here", tested: float = 1.0) -> Card:
    return Card(model, host, tested, channels=channels)


SCHEMA_WINS = {"tools": Marks(10, 2, 2, 2, 0, 2, 2), "schema": Marks(10, 10, 10, 10, 0, 2, 2)}


def test_a_card_comes_back_as_it_was_put(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    one = card(SCHEMA_WINS, model="../../hf.co/me/../model:q4 ✓")
    path = shelf.put(one)
    assert path.parent == tmp_path
    assert list(shelf.cards()) == [one]


def test_what_is_no_card_is_passed_over_and_named(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(card(SCHEMA_WINS))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("[1]")
    assert [one.host for one in shelf.cards()] == ["here"]
    assert [path.name for path in shelf.damaged()] == ["broken.json", "other.json"]


GOOD, FAIR, BAD = Marks(10, 10, 10, 10, 0, 2, 2), Marks(10, 9, 8, 7, 0, 2, 1), Marks(10, 1, 1, 0, 0, 2, 1)
REFUSED = Marks(why="it takes no tools")


@pytest.mark.parametrize(
    ("hosts", "cards", "channel"),
    [
        (("a",), {"a": (BAD, GOOD)}, "schema"),
        (("b",), {"a": (BAD, GOOD)}, None),
        (("a", "b"), {"a": (BAD, GOOD)}, "schema"),
        (("a", "b"), {"a": (GOOD, FAIR), "b": (BAD, FAIR)}, "schema"),
        (("a", "b"), {"a": (BAD, FAIR), "b": (GOOD, BAD)}, "tools"),
        (("a", "b"), {"a": (REFUSED, FAIR), "b": (GOOD, FAIR)}, "schema"),
        (("a",), {"a": (REFUSED, REFUSED)}, None),
    ],
)
def test_the_cards_of_the_hosts_where_it_may_run_decide(
    hosts: tuple[str, ...], cards: Mapping[str, tuple[Marks, Marks]], channel: str | None
) -> None:
    listed = [card({"tools": tools, "schema": schema}, host=host) for host, (tools, schema) in cards.items()]
    found = verdict("Tried", hosts, listed)
    assert (found and found.channel) == channel
    assert verdict("another", hosts, listed) is None


def test_a_verdict_gives_its_reason() -> None:
    found = verdict("tried", ("here",), [card({"schema": FAIR})])
    assert found is not None
    assert found.why.endswith("schema 67 %, tools not tried")
    both = verdict("tried", ("here",), [card({"schema": FAIR, "tools": REFUSED})])
    assert both is not None
    assert both.why.endswith("tools refused against schema 67 %")


async def test_a_card_of_a_model_that_was_fetched_anew_chooses_nothing(tmp_path: Path) -> None:
    old = card(SCHEMA_WINS, model="arbiter")
    async with stage({"arbiter": ["Plain."], "coding": []}) as on:
        digest = on.host.installed["arbiter:latest"].digest
    Shelf.of_state(tmp_path).put(replace(old, digest="of another model"))
    async with stage({"arbiter": ["Plain."], "coding": []}, state=tmp_path) as on:
        assert (await on.app.run("Hello.")).text == "Plain."
    Shelf.of_state(tmp_path).put(replace(old, digest=digest))
    async with stage({"arbiter": [json.dumps({"answer": "So it is."})], "coding": []}, state=tmp_path) as on:
        assert (await on.app.run("Hello.")).text == "So it is."


async def test_a_card_chooses_the_channel_and_the_configuration_goes_first(tmp_path: Path) -> None:
    Shelf.of_state(tmp_path).put(card(SCHEMA_WINS, model="arbiter"))
    answer = json.dumps({"answer": "So it is."})
    async with stage({"arbiter": [answer], "coding": []}, state=tmp_path) as on:
        assert (await on.app.run("Hello.")).text == "So it is."
        assert "tools" not in on.sent("arbiter")[0]
    async with stage({"arbiter": ["Plain."], "coding": []}, state=tmp_path, orchestration={"arbiter": {"channel": "tools"}}) as on:
        assert (await on.app.run("Hello.")).text == "Plain."
        assert on.sent("arbiter")[0]["tools"]


@pytest.mark.parametrize("given", [{"tools": Marks(why="refused")}, {}])
async def test_a_card_without_marks_chooses_nothing(tmp_path: Path, given: dict[str, Marks]) -> None:
    Shelf.of_state(tmp_path).put(card(given, model="arbiter"))
    models = {"arbiter": Model.scripted("arbiter", ["Plain."])}
    async with (
        serve(Host("here", list(models.values()))) as url,
        open_app(configuration(models, {"here": url}, {}), state=tmp_path) as app,
    ):
        assert (await app.run("Hello.")).text == "Plain."


def test_a_channel_that_never_calls_is_not_chosen_for_keeping_silent() -> None:
    """Who answers everything in words has full marks for small talk, and for nothing else."""
    silent, clumsy = Marks(10, 0, 0, 0, 0, 2, 2), Marks(10, 6, 1, 1, 0, 2, 1)
    assert card({"tools": silent, "schema": clumsy}).channel == "schema"
    assert card({"tools": Marks(10, 6, 5, 2, 0, 2, 0), "schema": clumsy}).channel == "tools"
    assert card({"tools": silent, "schema": silent}).channel == "tools"


def test_marks_of_a_channel_that_was_not_tried_again_stand_for_the_same_model() -> None:
    both, fresh = card(SCHEMA_WINS), card({"tools": Marks(10, 10, 10, 10, 0, 2, 2)}, tested=2.0)
    assert fresh.beside(both).channels == {"tools": fresh.channels["tools"], "schema": SCHEMA_WINS["schema"]}
    assert fresh.beside(both).tested == 2.0
    assert fresh.beside(None) == fresh
    assert replace(fresh, digest="other").beside(both).channels == fresh.channels


@pytest.mark.parametrize(
    "spoilt",
    [
        {"tested": "soon"},
        {"tested": None},
        {"tested": 1e300},
        {"channels": {"tools": {"cases": 1, "right": 9}}},
        {"channels": {"tools": {"cases": "many"}}},
        {"channels": []},
        {"host": 3},
    ],
)
def test_a_card_with_values_that_none_can_have_is_passed_over(tmp_path: Path, spoilt: dict[str, Any]) -> None:
    shelf = Shelf(tmp_path)
    path = shelf.put(card(SCHEMA_WINS))
    path.write_text(json.dumps(json.loads(path.read_text()) | spoilt))
    assert shelf.cards() == []
    assert shelf.damaged() == [path]


def test_a_card_is_found_under_every_spelling_of_its_model(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    path = shelf.put(card(SCHEMA_WINS, model="Tried"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"added_later": {}}))
    assert shelf.find("tried:latest", "here") == card(SCHEMA_WINS, model="Tried")
    assert shelf.find("tried", "there") is None
    shelf.put(card({}, model="tried:latest"))
    assert len(list(shelf.cards())) == 1


# ---------------------------------------------------------------- hosts that fail


async def failing(fault: Fault, one: Model, steps: list[Step] | None = None, **more: Any) -> Card:
    told = [] if steps is None else steps
    host = Host("here", [one])
    host.faults.add(fault)
    async with serve(host) as url, Fleet.open({"here": {"url": url}}, time_scale=100) as fleet:
        return await Trial(fleet, "tried", "here", HELD, Templates().text("schema"), tell=told.append).run(
            **{"channels": ("tools",), "probe": False, **more}
        )


async def test_an_answer_that_does_not_come_loses_its_marks_and_the_trial_goes_on() -> None:
    card = await failing(
        Fault("error_line", after=2, times=3, error="CUDA error: something"), model([in_tools(case) for case in [*CASES, *CASES]])
    )
    assert card.channels["tools"].failed == 1
    assert card.channels["tools"].cases == 10
    assert card.channels["tools"].right < 10


async def test_a_call_that_its_own_host_cannot_parse_is_read_as_in_a_run() -> None:
    raw = '{"name": "get_weather", "arguments": {"city": "Antwerp"}}'
    fault = Fault("status", times=3, error=f"error parsing tool call: raw='{raw}', err=unexpected end of JSON input")
    marks = (await failing(fault, model([in_tools(case) for case in CASES[1:]]))).channels["tools"]
    assert (marks.right, marks.repaired, marks.failed) == (10, 1, 0)


async def test_a_channel_in_which_nothing_comes_is_given_up_and_the_other_is_tried() -> None:
    fault = Fault("status", times=9, error="error parsing tool call: the model wrote none")
    card = await failing(fault, model([in_schema(case) for case in CASES]), channels=("tools", "schema"))
    assert not card.channels["tools"].judged
    assert "could not read the tool call" in card.channels["tools"].why
    assert card.channel == "schema"


async def test_a_host_that_is_gone_ends_the_trial() -> None:
    with pytest.raises(HostError) as caught:
        await failing(Fault("refuse", after=5), model([in_tools(case) for case in CASES]))
    assert caught.value.code == "host_unreachable"


async def test_a_host_that_answers_nothing_gets_no_card() -> None:
    with pytest.raises(HostError) as caught:
        await failing(
            Fault("error_line", error="CUDA error: something"), model([in_tools(case) for case in CASES]), channels=("tools", "schema")
        )
    assert caught.value.code == "runner_crashed"


async def test_a_probe_that_fails_says_nothing_of_the_window() -> None:
    looks = 3  # at the models, at what is in memory, and at the size of this one, before the first call
    card = await failing(Fault("refuse", after=looks + len(CASES)), model([in_tools(case) for case in CASES]), probe=True)
    assert card.window_held is None
    assert card.channels["tools"].right == 10

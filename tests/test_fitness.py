"""The trial of a model, its card, and the channel that follows from it; over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mmos.app import open_app
from mmos.fitness.card import Card, Marks
from mmos.fitness.cases import CASES, Case
from mmos.fitness.shelf import Shelf
from mmos.fitness.trial import Step, Trial
from mmos.fleet.fleet import Fleet
from mmos.messages import ToolCall
from mmos.prompting.templates import Templates
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model, Turn
from mmos.rehearsal.server import serve
from mmos.testing import Call, configuration, stage

HELD = 4096


def right(case: Case) -> list[Call]:
    asked = {"query": case.request} if case.name == "a specialist" else {}
    return [Call(wanted.tool, {**asked, **{name: values[0] for name, values in wanted.arguments.items()}}) for wanted in case.wanted]


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
    assert "arbiter" not in card.suits


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


def test_the_newest_card_counts_and_rubbish_is_passed_over(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(card(SCHEMA_WINS, host="b", tested=2.0))
    shelf.put(card({}, host="a", tested=1.0))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("[1]")
    assert shelf.newest()["tried:latest"].tested == 2.0


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

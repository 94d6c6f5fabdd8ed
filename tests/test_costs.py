"""docs/costs.md: its numbers are those of the code, and its counts those of true runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmos.calls.interpreting import LONGEST
from mmos.fitness.cases import CASES
from mmos.fitness.trial import Trial
from mmos.fleet.fleet import Fleet
from mmos.fleet.tries import ATTEMPTS
from mmos.participant import ladder, models, turn
from mmos.prompting.templates import Templates
from mmos.rehearsal.pieces import Raw
from mmos.scope import Limits
from mmos.testing import Call, Host, Model, serve, stage
from tests.test_fitness import in_schema, in_tools, model

PAGE = (Path(__file__).parent.parent / "docs" / "costs.md").read_text(encoding="utf-8")
UNCLEAR = Raw('<tool_call>\n{"name": "ask_a_wizard", "arguments": {"question": "How do I merge lists in coding?"}}\n</tool_call>')
MEANT = Raw("<start_function_call>call:consult_coding_specialist{query:<escape>How to merge lists<escape>}<end_function_call>")
RIGHT = Call("consult_coding_specialist", {"query": "How?"})
WRONG = Call("consult_coding_specialist", {"request": "How?"})


def row(case: str) -> str:
    return next(line for line in PAGE.splitlines() if line.startswith(f"| {case}"))


def extra(case: str) -> int:
    return int(re.match(r"\d+", row(case).split(" | ")[2])[0])  # type: ignore[index]


@pytest.mark.parametrize(
    ("arbiter", "interpreter", "cases"),
    [
        ([RIGHT, "Thus."], [], []),
        ([UNCLEAR, "Thus."], [MEANT], ["a reply looks like a call"]),
        ([UNCLEAR, RIGHT, "Thus."], ["I cannot."], ["a reply looks like a call", "the interpreter did not help"]),
        ([WRONG, "Thus."], [MEANT], ["a call does not fit the tool"]),
    ],
    ids=["clear", "interpreted", "said again", "clarified"],
)
async def test_a_run_costs_what_the_page_says(arbiter: list[object], interpreter: list[object], cases: list[str]) -> None:
    """Two turns of the arbiter and one of the specialist, and what the page adds to them."""
    cast = {
        "arbiter": Model.scripted("arbiter", arbiter, path="native", tag="<nothing>"),  # type: ignore[arg-type]
        "coding": ["So."],
        "interpreter": Model.scripted("functiongemma", interpreter, path="functiongemma"),  # type: ignore[arg-type]
    }
    async with stage(cast) as on:
        answer = await on.app.run("How do I merge lists in coding?")
        assert (answer.status, answer.text) == ("answered", "Thus.")
        assert answer.usage["model_calls"] == len(on.host.requests.to("/api/chat")) == 3 + sum(map(extra, cases))


async def test_a_trial_makes_as_many_calls_as_the_page_says() -> None:
    turns = [in_tools(case) for case in CASES] + [in_schema(case) for case in CASES]
    host = Host("one", [model(turns)])
    async with serve(host) as url, Fleet.open({"one": {"url": url}}) as fleet:
        await Trial(fleet, "tried", "one", 8192, Templates().text("schema")).run()
    most = len(host.requests.to("/api/chat"))
    assert f"up to {most} for each host: {len(CASES)} cases on each of two channels, and {most - 2 * len(CASES)} to measure" in PAGE


def test_the_limits_are_those_of_the_code() -> None:
    read = row("a reply looks like a call")
    assert f"texts up to {LONGEST} characters; {ladder.SECONDS:g} s" in read
    assert f"at most {ladder.TOKENS} tokens, {ladder.ROUTER_TOKENS} for FunctionGemma" in read
    assert f"| {ladder.SECONDS:g} s, or" in row("the interpreter did not help")
    assert f"| {turn.SETBACKS} such turns in a row" in row("that did not help either")
    assert f"the same call {Limits().repeats} times" in row("the calling role reads")
    assert f"| {models.RECOUNTS} times for each turn" in row("a host reports that the prompt is longer")
    assert f"| {ATTEMPTS} attempts on each host" in row("a host fails")

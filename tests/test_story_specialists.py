"""Stories of specialists that change their word, contradict each other or never come to an end: the arbiter goes on, nothing hangs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.app import RunOptions
from mmos.rehearsal import Host, Model, Stall, default_fleet, parse_cast
from mmos.testing import Say, stage, until
from tests.leaping import leaping

CAST = """
models:
  - name: arbiter
    signature: ""
  - name: coding
    signature: ""
    rules:
      - {when: {user_contains: "Look again"}, do: {contradict: {of: itself}}}
      - {do: {say: "Yes, it is safe."}}
  - name: reasoning
    signature: ""
    rules:
      - {when: {user_contains: [stubborn]}, do: {say: "No, it is not safe."}}
      - {do: {contradict: "No, it is not safe."}}
"""
PATIENCE = {"timeouts": {"connect": 2, "load": 2, "first_byte": 0.5, "between_chunks": 0.5}}


def cast(text: str = CAST) -> dict[str, Model]:
    return {model.name: model for model in parse_cast(text).models}


async def at_rest(host: Host) -> None:
    await until(lambda: not host.open)


def calls(answer: mmos.Answer) -> dict[str, int]:
    return {tool["name"]: tool["calls"] for tool in answer.document()["tools"]}


@leaping
async def test_a_specialist_that_changes_its_word_when_asked_again() -> None:
    async with stage(cast()) as here:
        answer = await here.app.run("Is it safe?")
    assert answer.status == "answered"
    assert calls(answer) == {"consult_coding_specialist": 1, "consult_reasoning_specialist": 2}
    assert "the coding specialist says yes, the reasoning specialist says no. Asked again, they agree." in answer.text
    assert "Look again" in here.heard("reasoning")[1]


async def test_the_user_settles_what_specialists_cannot(tmp_path: Path) -> None:
    async with stage(cast(), state=tmp_path) as here:
        asked = await here.app.run("Is it safe? Be stubborn.", options=RunOptions(on_question="wait"))
        assert asked.status == "waiting"
        question = asked.view.open_question
        assert question is not None
        assert "the coding specialist says yes, the reasoning specialist says no. Which one holds?" in question.text
        assert list(question.options) == ["yes", "no"]
        await here.app.answer(asked.run, "no")
        answer = await here.app.resume(asked.run)
    assert answer.status == "answered"
    assert "You were asked, and said: no" in answer.text


@leaping
async def test_the_default_fleet_shows_a_disagreement_and_how_it_is_settled() -> None:
    async with default_fleet(time_scale=None) as fleet, mmos.open(fleet.orchestration()) as app:
        texts = {(await app.run("What is 2 + 3 * 4?")).text for _ in range(2)}
    [text] = texts
    assert "2 + 3 * 4 = 20" in text
    assert "I did it myself and get 14. Take what the reasoning specialist says." in text


# ---------------------------------------------------------------- time out


def slow(piece: Any) -> dict[str, Any]:
    return {
        "arbiter": Model("arbiter", signature=""),
        "coding": Model.scripted("coding", [[piece, "I think"]], repeat=True),
        "reasoning": ["It holds."],
    }


@leaping
async def test_a_specialist_that_never_answers_is_gone_on_without() -> None:
    for piece in (Stall(), Stall(after=1)):
        async with stage(slow(piece), orchestration=PATIENCE) as here:
            async with asyncio.timeout(30):
                answer = await here.app.run("Does it hold?")
            assert answer.status == "answered"
            assert "It holds." in answer.text
            assert "coding specialist could not help" in answer.text
            await at_rest(here.host)


@leaping
async def test_a_specialist_that_is_slow_but_in_time_is_waited_for() -> None:
    async with stage(slow(Stall(5.0)), orchestration=PATIENCE, time_scale=100.0) as here:
        answer = await here.app.run("Does it hold?")
    assert "The coding specialist says:\nI think" in answer.text


@pytest.mark.parametrize(
    ("turn", "status", "did"),
    [
        ([Stall(), "Never said."], "failed", "sent nothing of arbiter in time"),
        ([Say("So far."), Stall()], "partial", "fell silent in the middle of arbiter's answer"),
    ],
)
@leaping
async def test_an_arbiter_that_never_answers_ends_its_run_with_a_reason(turn: list[Any], status: str, did: str) -> None:
    async with stage({"arbiter": [turn], "coding": ["x"]}, orchestration=PATIENCE) as here:
        answer = await here.app.run("Go.")
        assert answer.reason is not None
        assert (answer.status, answer.reason.code) == (status, "host_timeout")
        assert answer.reason.message == f"No host can serve arbiter. here {did}."
        assert len(here.sent("arbiter")) == 1
        await at_rest(here.host)


@leaping
async def test_a_run_that_is_cancelled_while_a_specialist_stalls_leaves_nothing_open() -> None:
    async with stage(slow(Stall())) as here:
        run = asyncio.create_task(here.app.run("Does it hold?"))
        await until(lambda: here.sent("coding"))
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await at_rest(here.host)

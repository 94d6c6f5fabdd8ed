"""Stories at a terminal: who is at work is told, questions are asked inline, and nothing that a model writes steers the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect

from mmos.testing import Call
from tests import warm
from tests.shell import environment, shell

CONSULT = [Call("consult_coding_specialist", {"query": "How so?"}), Call("consult_analysis_specialist", {"query": "What of it?"})]


def terminal(folder: Path, *args: str) -> pexpect.spawn:
    environ = environment(folder, TERM="xterm")
    command = ["-m", "mmos", *args]
    return pexpect.spawn(warm.python(), command, cwd=str(folder), env=environ, encoding="utf-8", timeout=30, dimensions=(40, 200))


async def sit(work: Callable[..., Any], *args: Any) -> Any:
    """Sit at a terminal in a thread: the host that answers lives in this loop."""
    return await asyncio.to_thread(work, *args)


async def test_who_is_at_work_is_told_and_the_answer_streams(tmp_path: Path) -> None:
    def look() -> tuple[str, int]:
        screen = terminal(tmp_path, "run", "Why?")
        screen.expect(pexpect.EOF)
        text = screen.before
        screen.close()
        return text, screen.exitstatus

    async with shell(tmp_path, {"arbiter": [CONSULT, "Because of both."], "coding": ["Thus."], "analysis": ["This."]}):
        text, code = await sit(look)
    assert code == 0
    for line in (
        "arbiter → consult_coding_specialist: How so?",
        "coding (coding on here)",
        "✓ consult_analysis_specialist",
        "Because of both.",
    ):
        assert line in text


async def test_a_question_is_asked_inline_and_its_answer_goes_back(tmp_path: Path) -> None:
    def answer() -> str:
        screen = terminal(tmp_path, "run", "Paint it.")
        screen.expect("arbiter asks: Which colour\\?")
        screen.expect("2. blue")
        screen.expect("Answer \\[red\\]: ")
        screen.sendline("2")
        screen.expect(pexpect.EOF)
        screen.close()
        assert screen.exitstatus == 0
        return screen.before

    question = Call("escalate_to_user", {"question": "Which colour?", "options": ["red", "blue"], "default": "red"})
    async with shell(tmp_path, {"arbiter": [question, "Blue, then."]}) as at:
        assert "Blue, then." in await sit(answer)
        assert at.on.heard("arbiter")[1] == "blue"


async def test_two_questions_at_once_are_asked_one_after_the_other(tmp_path: Path) -> None:
    def answer() -> str:
        screen = terminal(tmp_path, "run", "Paint it.")
        for reply in ("north", "south"):
            screen.expect("asks: (First|Second)\\?")
            screen.expect("Answer: ")
            screen.sendline(reply)
        screen.expect(pexpect.EOF)
        screen.close()
        return screen.before

    questions = [Call("escalate_to_user", {"question": name}) for name in ("First?", "Second?")]
    async with shell(tmp_path, {"arbiter": [questions, "Both known."]}) as at:
        assert "Both known." in await sit(answer)
        results = [message["content"] for message in at.on.sent("arbiter")[1]["messages"] if message["role"] == "tool"]
        assert results == ["north", "south"]


async def test_what_a_model_writes_does_not_steer_the_terminal(tmp_path: Path) -> None:
    def look() -> str:
        screen = terminal(tmp_path, "run", "Speak.")
        screen.expect(pexpect.EOF)
        screen.close()
        return screen.before

    async with shell(tmp_path, {"arbiter": ["\x1b]0;owned\x07\x1b[2JPlain \u202etext\x9b31m 👩‍💻 done."]}):
        text = await sit(look)
    assert "\x1b]0;" not in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "\x9b" not in text
    assert "👩‍💻 done." in text


async def test_ctrl_c_stops_the_run_and_prints_what_there_is(tmp_path: Path) -> None:
    def interrupt() -> tuple[str, int]:
        screen = terminal(tmp_path, "run", "Count.")
        screen.expect("One two")
        screen.sendintr()
        screen.expect(pexpect.EOF)
        text = screen.before
        screen.close()
        return text, screen.exitstatus

    async with shell(tmp_path, {"arbiter": ["One two three four five."]}) as at:
        at.on.host.faults.add("stall", chunks=3)
        text, code = await sit(interrupt)
        assert code == 130
        assert "cancelled" in text
        assert "Traceback" not in text


async def test_an_answer_that_breaks_off_is_begun_anew_and_that_is_told(tmp_path: Path) -> None:
    def look() -> str:
        screen = terminal(tmp_path, "run", "Speak.")
        screen.expect(pexpect.EOF)
        screen.close()
        return screen.before

    async with shell(tmp_path, {"arbiter": ["The whole of the answer."]}) as at:
        at.on.host.faults.add("cut", chunks=2, times=1)
        text = await sit(look)
    assert "the answer broke off; MMOS tries again" in text
    assert text.rstrip().endswith("The whole of the answer.")

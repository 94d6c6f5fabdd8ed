"""Stories of what a conversation remembers: /clear, /undo and /fork, at a terminal and in a pipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmos.errors import UsageError
from mmos.events import RunFinished, RunStarted
from mmos.journal import Journal
from mmos.testing import stage
from tests.shell import shell
from tests.terminal import terminal


def said(body: Any) -> list[str]:
    """What a model read, without its system text."""
    return [message["content"] for message in body["messages"] if message["role"] != "system"]


async def test_undo_takes_back_one_exchange_after_the_other() -> None:
    async with stage({"arbiter": ["1", "2", "3", "4", "5"]}) as on:
        runs = [(await on.app.run(task, thread="t")).run for task in ("One?", "Two?", "Three?")]
        await on.app.withdraw(runs[2])
        await on.app.withdraw(runs[1])
        await on.app.run("Four?", thread="t")
        assert said(on.sent("arbiter")[-1]) == ["One?", "1", "Four?"]
        assert (await on.app.replay(runs[2])).same, "the record of what was taken back stays"


async def test_a_fork_takes_back_what_the_conversation_keeps() -> None:
    async with stage({"arbiter": ["1", "2", "3", "4"]}) as on:
        await on.app.run("One?", thread="t")
        second = await on.app.run("Two?", thread="t")
        fork = await on.app.fork_thread("t", name="other")
        await on.app.withdraw(second.run, thread=fork)
        await on.app.run("Three?", thread="other")
        await on.app.run("Four?", thread="t")
        forked, kept = map(said, on.sent("arbiter")[2:])
        assert forked == ["One?", "1", "Three?"]
        assert kept == ["One?", "1", "Two?", "2", "Four?"]


async def test_a_fork_begins_with_the_same_bytes() -> None:
    async with stage({"arbiter": ["1", "2", "3"]}) as on:
        await on.app.run("One?", thread="t")
        await on.app.fork_thread("t", name="other")
        await on.app.run("Two?", thread="t")
        await on.app.run("Two?", thread="other")
        one, other = on.sent("arbiter")[1:]
        assert one == other, "so the host reads the past once"


async def test_what_is_at_work_elsewhere_is_neither_taken_back_nor_forked(tmp_path: Path) -> None:
    async with stage({"arbiter": ["1"]}, state=tmp_path) as on, await Journal.open(tmp_path) as other:
        first = await on.app.run("One?", thread="t")
        begun = other.append("0" * 26, first.thread, RunStarted("Two?", other.process))
        await other.durable(begun.run)
        with pytest.raises(UsageError, match="is still at work"):
            await on.app.withdraw(begun.run)
        with pytest.raises(UsageError, match="had not ended there"):
            await on.app.fork_thread("t")
        other.append(begun.run, first.thread, RunFinished("failed"))
        await other.durable(begun.run)
        await on.app.withdraw(begun.run)
        assert await on.app.fork_thread("t")


async def test_commands_at_a_terminal(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Answer one.", "Answer two.", "Answer three.", "Answer four.", "Answer five."]}) as on:
        async with terminal(tmp_path, "chat", "--thread", "t", columns=120) as at:
            await at.shows("/help")
            at.say("/undo")
            await at.shows("There is nothing to take back in this conversation.")
            at.say("/fork other")
            await at.shows("there is nothing to fork")
            at.say("Do one.")
            await at.shows("Answer one.")
            at.say("Do two.")
            await at.shows("Answer two.")
            at.say("/fork t")
            await at.shows("There is already a conversation 't'.")
            at.say("/fork other")
            await at.shows("The conversation goes on in other. The old one stays as it is: /thread t goes back to it.")
            at.say("/undo")
            await at.shows("Taken back: “Do two.” No model knows it any more. The newest one now: “Do one.”")
            at.say("Do three.")
            await at.shows("Answer three.")
            at.say("/undo 2")
            await at.shows("/undo takes no argument")
            at.say("/undo")
            await at.shows("Taken back: “Do three.”")
            at.say("/undo")
            await at.shows("Nothing is left of this conversation.")
            at.say("/undo")
            at.say("/thread t")
            await at.shows("Answer two.")
            at.say("Do four.")
            await at.shows("Answer four.")
            at.say("/clear")
            await at.shows("The old one is kept: /thread t continues it.")
            at.say("Do five.")
            await at.shows("Answer five.")
        third, fourth, fifth = map(said, on.on.sent("arbiter")[2:])
        assert third == ["Do one.", "Answer one.", "Do three."]
        assert fourth == ["Do one.", "Answer one.", "Do two.", "Answer two.", "Do four."]
        assert fifth == ["Do five."]


async def test_commands_in_a_pipe(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two.", "Three."]}) as on:
        done = await on.mmos(
            "chat",
            given=b"Do one.\n/undo\nDo two.\n/thread\n/clear all\n/compact 5\n/fork\n/clear\n/clear\nDo three.\n/fork a\x07b\n/fork good name\n",
        )
        assert done.out == "One.\nTwo.\nThree.\n"
        assert "Nothing is left of this conversation." in done.err
        assert ", 1 exchange. Resume it with:" in done.err, "what was taken back does not count"
        assert "/clear takes no argument" in done.err
        assert "/compact takes no argument" in done.err
        assert "\x1b" not in done.err + done.out
        assert [said(body) for body in on.on.sent("arbiter")] == [["Do one."], ["Do two."], ["Do three."]]
        assert "The conversation goes on in good name." in done.err
        assert done.code == 2, "a name with a control character is wrong"

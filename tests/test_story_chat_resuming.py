"""Stories of turns that stopped in the middle: a chat that was killed, a question that waits, a limit; and how the chat goes on."""

from __future__ import annotations

import signal
from pathlib import Path

from mmos.testing import Call
from tests.shell import shell
from tests.terminal import CTRL_C, terminal

CONSULT = [Call("consult_coding_specialist", {"query": "How so?"})]
QUESTION = Call("escalate_to_user", {"question": "Which colour?", "options": ["red", "blue"]})
INTERRUPTED = "The last turn was interrupted before its end. /resume continues it, /retry asks it again."


async def test_after_a_chat_was_killed_last_says_how_to_go_on_and_nothing_is_done_twice(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [CONSULT, "So it is."], "coding": ["Thus."]}) as on:
        stall = on.on.host.faults.add("stall", chunks=2, model="arbiter", after=1)
        async with terminal(tmp_path, "chat", columns=100) as at:
            await at.shows("/help")
            at.say("Why?")
            await at.shows("So it")
            await at.shows("✓ [1] coding")  # it is in the journal
            at.process.send_signal(signal.SIGKILL)
            await at.ended()
        on.on.host.faults.remove(stall)
        told = await on.mmos("chat", "--last", given=b"")
        assert (told.code, told.out, told.err) == (0, "", f"{INTERRUPTED}\n")
        async with terminal(tmp_path, "chat", "--last", columns=100) as at:
            await at.shows(INTERRUPTED)
            at.say("/resume")
            await at.shows("4 model calls")
            assert "So it is.\n" in at.text
            assert at.text.count("✓ [1] coding · coding on here") == 1
            at.say("/open 1")
            await at.shows("Thus.")
            at.say("/resume")
            await at.shows("The last turn is answered already.")
        assert len(on.on.heard("coding")) == 1


async def test_a_question_that_waits_is_shown_and_answered_in_the_next_chat(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [QUESTION, "Blue, then.", QUESTION, "Red, then."]}) as on:
        first = await on.mmos("chat", "--thread", "t", "--on-question", "wait", given=b"Paint it.\n")
        assert "/resume ANSWER answers it and continues." in first.err
        waits = (
            "The last turn waits for your answer. arbiter asks: Which colour? (1. red, 2. blue) /resume ANSWER answers it and continues."
        )
        second = await on.mmos("chat", "--last", given=b"/resume\n/resume 2\n/resume 2\n")
        assert second.out == "Blue, then.\n"
        assert second.err.startswith(f"{waits}\nmmos: arbiter asks: Which colour? (1. red, 2. blue)\n")
        assert second.err.endswith("mmos: The last turn is answered already.\n/retry asks it again.\n")
        await on.mmos("chat", "--thread", "t", "--on-question", "wait", given=b"Paint that.\n")
        async with terminal(tmp_path, "chat", "--thread", "t", columns=140) as at:
            await at.shows(waits)
            at.say("/resume")
            await at.shows("answer ›")
            at.say("1")
            await at.shows("Red, then.")
        assert on.on.heard("arbiter") == ["Paint it.", "blue", "Paint that.", "red"]


async def test_of_several_questions_the_chat_answers_the_one_that_is_named(tmp_path: Path) -> None:
    two = [Call("escalate_to_user", {"question": "How many?", "kind": "number"}), QUESTION]
    async with shell(tmp_path, {"arbiter": [two, "Three, blue."]}) as on:
        await on.mmos("chat", "--thread", "t", "--on-question", "wait", given=b"Paint it.\n")
        lines = b"/resume 3\n/resume q1 many\n/resume q1 3\n/resume 2\n"
        ended = await on.mmos("chat", "--last", "--on-question", "wait", given=lines)
        assert ended.out == "Three, blue.\n"
        both = "q1: arbiter asks: How many? (a number) q2: arbiter asks: Which colour? (1. red, 2. blue)"
        assert ended.err.startswith(f"The last turn waits for your answer. {both} /resume ID ANSWER answers one of them and continues.\n")
        assert "mmos: 'many' does not answer the question.\nGive a number, such as 3 or 0.5.\n" in ended.err
        results = [message["content"] for message in on.on.sent("arbiter")[1]["messages"] if message["role"] == "tool"]
        assert results == ["3", "blue"]


async def test_an_answer_after_the_deadline_is_refused_and_the_turn_goes_on_with_the_default(tmp_path: Path) -> None:
    late = Call("escalate_to_user", {"question": "Which?", "default": "blue", "deadline": "50ms"})
    async with shell(tmp_path, {"arbiter": [late, "Blue."]}) as on:
        await on.mmos("chat", "--thread", "t", "--on-question", "wait", given=b"Paint it.\n")
        ended = await on.mmos("chat", "--last", given=b"/resume red\n")
        assert ended.out.endswith("Blue.\n")
        assert "Your answer to q1 came too late. Nobody answered by 20" in ended.out + ended.err


async def test_a_chat_asks_again_after_a_wrong_answer(tmp_path: Path) -> None:
    asks = [Call("escalate_to_user", {"question": f"{kind}?", "kind": kind}) for kind in ("number", "confirm")]
    last = Call("escalate_to_user", {"question": "Until when?", "default": "soon", "deadline": "1500ms"})
    async with shell(tmp_path, {"arbiter": [*asks, last, "All known."]}) as on, terminal(tmp_path, "chat", columns=100) as at:
        await at.shows("/help")
        at.say("Ask.")
        await at.shows("answer (a number) ›")
        at.say("many")
        await at.shows("Give a number, such as 3 or 0.5.")
        at.say("4")
        await at.shows("answer (yes or no) ›")
        at.say("y")
        await at.shows("answer [soon] ›")
        await at.shows("There is time until 20")
        at.press("half a wo")
        await at.shows("All known.")
        await at.shows("MMOS takes the default: soon")
        assert on.on.heard("arbiter")[1:] == ["4", "yes", "Nobody answered in time, so your default holds: soon"]


async def test_a_turn_that_was_stopped_or_reached_a_limit_goes_on(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [CONSULT, "So.", "One two three."], "coding": ["Thus."]}) as on:
        stall = on.on.host.faults.add("stall", chunks=2, model="arbiter", after=2)
        async with terminal(tmp_path, "chat", "--max-turns", "1") as at:
            await at.shows("/help")
            at.say("Why?")
            await at.shows("arbiter took 1 turn without an answer.")
            await at.shows("/set max-turns=NUMBER allows more turns, then /resume continues.")
            at.say("/set max-turns=5")
            at.say("/resume")
            await at.shows("So.")
            await at.shows("3 model calls")
            at.say("Count.")
            await at.shows("One two")
            at.press(CTRL_C)
            await at.shows("/resume continues.")
            on.on.host.faults.remove(stall)
            at.say("/resume and more")
            await at.shows("The last turn has no open question.")
            at.say("/resume")
            await at.shows("One two three.")
        assert len(on.on.heard("coding")) == 1


async def test_a_prompt_that_is_too_long_names_commands_that_there_are(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Never said.", "Short."]}) as on:
        on.on.host.faults.add("status", status=400, error="the input length exceeds the context length", times=2)
        ended = await on.mmos("run", "--thread", "t", "Long?")
        assert "begin a new conversation: `--thread NAME`, in chat `/thread new`. Or give the role a larger `context_window`." in ended.err
        ended = await on.mmos("chat", "--thread", "t", given=b"Long?\n/thread new\nShort?\n")
        assert "The prompt is longer than the window of arbiter on here." in ended.err
        assert ended.err.endswith(
            "in chat `/thread new`. Or give the role a larger `context_window`.\nA new conversation begins with your next message.\n"
        )
        assert len(on.on.sent("arbiter")[-1]["messages"]) == 2, "the system's words and the task alone"


async def test_what_another_chat_still_works_on_is_left_to_it(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One two three."]}) as on:
        on.on.host.faults.add("stall", chunks=2)
        async with terminal(tmp_path, "chat", "--thread", "t") as at:
            await at.shows("/help")
            at.say("Count.")
            await at.shows("One two")
            told = await on.mmos("chat", "--last", given=b"/resume\n")
        assert told.err.startswith("Another process still works on the last turn.\n")
        assert "is still at work in another process." in told.err
        assert told.code == 2

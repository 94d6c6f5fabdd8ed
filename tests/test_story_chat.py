"""Stories of a conversation at a terminal: answers as they are written, who is at work, questions, Ctrl-C, and what is typed ahead."""

from __future__ import annotations

from pathlib import Path

from mmos.testing import Call
from tests.shell import shell
from tests.terminal import CTRL_C, CTRL_D, terminal

CONSULT = [Call("consult_coding_specialist", {"query": "How so?"}), Call("consult_analysis_specialist", {"query": "What of it?"})]


async def test_the_answer_streams_and_consultations_collapse_above_it(tmp_path: Path) -> None:
    roles = {"arbiter": [CONSULT, "# Both\n\nBecause of **both**."], "coding": ["Thus."], "analysis": ["This."]}
    async with shell(tmp_path, roles), terminal(tmp_path, "chat") as at:
        await at.shows("›")
        at.say("Why?")
        await at.shows("4 model calls")
        lines = [line for line in at.lines if line]
        assert lines[0].startswith("mmos ")
        assert "arbiter arbiter · 1 host · thread new · /help" in lines[0]
        asked = lines.index("› Why?")
        assert lines[asked + 1].startswith("  ✓ [1] coding · coding on here · ")
        assert lines[asked + 2].startswith("  ✓ [2] analysis · analysis on here · ")
        assert "Because of both." in lines[asked + 4]
        assert "⠋" not in at.seen
        at.press(CTRL_D)
        assert await at.ended() == 0
        await at.shows("To continue: mmos chat --thread ")


async def test_a_consultation_is_seen_while_it_goes_on_and_nested_ones_are_indented(tmp_path: Path) -> None:
    inner = [Call("consult_analysis_specialist", {"query": "And what of it?"}), "Thus it is."]
    roles = {"arbiter": [Call("consult_coding_specialist", {"query": "How so?"}), "So."], "coding": inner, "analysis": ["It is all there."]}
    changes = {"specialists": {"coding": {"tools": ["consult_analysis_specialist"]}}}
    async with shell(tmp_path, roles, orchestration=changes) as on:
        stall = on.on.host.faults.add("stall", chunks=2, model="analysis")
        async with terminal(tmp_path, "chat") as at:
            await at.shows("›")
            at.say("Why?")
            await at.until(lambda: "analysis · analysis on here · writing" in at.seen)
            (outer,) = [line for line in at.seen.split("\n") if " coding · coding on here · calling · How so?" in line]
            (nested,) = [line for line in at.seen.split("\n") if " analysis · analysis on here · writing" in line]
            assert len(nested) - len(nested.lstrip()) == len(outer) - len(outer.lstrip()) + 2
            assert outer.endswith(" s")
            on.on.host.faults.remove(stall)
            at.press(CTRL_C)
            await at.shows("✗ [1] coding · coding on here · stopped")
            await at.shows("    ✗ [2] analysis · analysis on here · stopped")


async def test_ctrl_c_cancels_the_turn_and_closes_its_request_and_the_session_goes_on(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One two three four five."]}) as on:
        on.on.host.faults.add("stall", chunks=3, times=1)
        async with terminal(tmp_path, "chat") as at:
            await at.shows("›")
            at.say("Count.")
            await at.shows("One two")
            at.press(CTRL_C)
            await at.shows("Interrupted. The partial answer stays in the conversation.")
            at.say("Go on.")
            await at.shows("One two three four five.")
            await at.shows("1 model call · 5 tokens")
        assert [seen.cancelled for seen in on.on.host.requests if seen.path == "/api/chat"] == [True, False]
        history = [message["content"] for message in on.on.sent("arbiter")[1]["messages"]]
        assert any("One two" in text and "[This answer was cut short: cancelled.]" in text for text in history)


async def test_what_is_typed_ahead_is_queued_and_seen(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["First answer.", "Second answer.", "Third answer."]}) as on:
        on.on.host.faults.add("late", times=1, seconds=0.5)
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.say("One?")
            at.say("Two?")
            at.say("Three?")
            await at.shows("waits: Two?")
            await at.shows("waits: Three?")
            await at.shows("Third answer.")
            assert at.text.index("› Two?") > at.text.index("First answer.")
            assert "waits:" not in at.seen
        assert on.on.heard("arbiter") == ["One?", "Two?", "Three?"]


async def test_a_question_is_asked_inline_with_its_options(tmp_path: Path) -> None:
    options = ["red", "blue", "a colour that takes more words to be told than one line of this terminal has room for"]
    question = Call("escalate_to_user", {"question": "Which colour?", "options": options, "default": "red"})
    async with shell(tmp_path, {"arbiter": [question, "Blue, then."]}) as on, terminal(tmp_path, "chat") as at:
        await at.shows("›")
        at.say("Paint it.")
        await at.shows("arbiter asks: Which colour?")
        await at.shows("  2. blue")
        await at.shows("answer [red] ›")
        assert "  3. a colour that takes more words to be told than one line of this terminal\n     has room for\n" in at.text
        at.say("/why")
        await at.shows("arbiter: you asked: Paint it.")
        await at.until(lambda: at.seen.endswith("answer [red] ›"))
        at.say("2")
        await at.shows("› blue")
        await at.shows("Blue, then.")
        assert on.on.heard("arbiter")[1] == "blue"
        at.say("Thanks.")
        await at.shows("› Thanks.")


async def test_what_was_being_typed_comes_back_after_a_question(tmp_path: Path) -> None:
    question = Call("escalate_to_user", {"question": "Which?", "options": ["red", "blue"], "default": "red"})
    async with shell(tmp_path, {"arbiter": [question, "Red, then.", "Yes."]}) as on:
        on.on.host.faults.add("late", times=1, seconds=0.5)
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.say("Paint it.")
            at.press("half a thought")
            await at.shows("answer [red] ›")
            at.say("")
            await at.shows("Red, then.")
            await at.until(lambda: "› half a thought" in at.seen)
            at.say(", finished")
            await at.shows("Yes.")
        assert on.on.heard("arbiter")[1:] == ["red", "half a thought, finished"]


async def test_ctrl_c_clears_the_line_and_twice_on_an_empty_one_leaves(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Never asked."]}) as on:
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.press("not this")
            await at.shows("not this")
            at.press(CTRL_C)
            await at.until(lambda: "not this" not in at.seen)
            at.press(CTRL_C)
            await at.shows("Press Ctrl-C again")
            at.press(CTRL_C)
            assert await at.ended() == 0
        assert not on.on.heard("arbiter")


async def test_leaving_in_the_middle_of_an_answer_keeps_what_there_is(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One two three four five."]}) as on:
        on.on.host.faults.add("stall", chunks=3)
        async with terminal(tmp_path, "chat", "--thread", "t") as at:
            at.say("Count.")
            await at.shows("One two")
            at.press(CTRL_D)
            assert await at.ended() == 0
        shown = await on.mmos("threads", "show", "t")
        assert "cancelled" in shown.out
        assert "One two" in shown.out


async def test_what_a_model_writes_does_not_steer_the_terminal(tmp_path: Path) -> None:
    nasty = "\x1b]0;owned\x07\x1b[2JPlain \u202etext\x9b31m 👩‍💻 done.\n\n```\n\x1b[31mred\n```\n\n"
    consult = Call("consult_coding_specialist", {"query": "\x1b[2J\x1b]52;c;aGk=\x07How?"})
    async with shell(tmp_path, {"arbiter": [consult, nasty], "coding": [nasty]}), terminal(tmp_path, "chat") as at:
        await at.shows("›")
        at.say("Speak.")
        await at.shows("3 model calls")
        at.say("/open 1")
        await at.shows("[1] coding", 2)
        await at.shows("done.", 2)
        at.say("/why")
        await at.shows("arbiter called")
        for code in (b"\x1b]0;", b"\x1b]52", b"\x1b[2J", "\u202e".encode(), b"\x9b", b"owned\x07"):
            assert code not in at.raw


async def test_an_answer_that_breaks_off_is_begun_anew_and_that_is_told(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["The whole of the answer."]}) as on:
        on.on.host.faults.add("cut", chunks=2, times=1)
        async with terminal(tmp_path, "chat") as at:
            await at.shows("›")
            at.say("Speak.")
            await at.shows("the answer broke off; MMOS tries again")
            await at.shows("The whole of the answer.")
            await at.shows("1 model call")


async def test_a_turn_that_fails_says_why_and_the_session_goes_on(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Here again."]}) as on:
        broken = on.on.host.faults.add("status", status=404, error="model 'arbiter' not found", model="arbiter")
        async with terminal(tmp_path, "chat") as at:
            await at.shows("›")
            at.say("Speak.")
            await at.shows("failed: ")
            on.on.host.faults.remove(broken)
            at.say("And now?")
            await at.shows("Here again.")


async def test_a_configuration_that_is_wrong_ends_the_session_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "orchestration.yaml").write_text("orchestration: {arbitre: {}}\n")
    async with terminal(tmp_path, "chat") as at:
        assert await at.ended() == 2
        await at.shows("orchestration.yaml:1")
        assert "Traceback" not in at.text


async def test_a_host_that_is_silent_is_told_of_before_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "orchestration.yaml").write_text(
        "orchestration: {servers: {off: {url: 'http://127.0.0.1:9'}}, arbiter: {model: m, server: off}}\n"
    )
    async with terminal(tmp_path, "chat") as at:
        await at.shows("! arbiter (m) and synthesizer (m) cannot be asked: Nothing listens at")

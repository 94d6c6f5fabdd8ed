"""Stories of chat wherever it is run: narrow and wide terminals, resized ones, without colours, dumb, in a pipe, and with a keyboard that pastes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest
from wcwidth import wcswidth

from mmos.hosts.embedded.files import built_in_file, has_engine
from mmos.testing import Call, stage
from tests.shell import finish, shell
from tests.terminal import ALT_ENTER, CTRL_C, CTRL_D, UP, terminal

CONSULT = [
    Call("consult_coding_specialist", {"query": "How so, and how not, and what else is there to be said about all of this, in detail?"})
]
LONG = (
    "A line of prose that is longer than eighty columns are wide, so that it has to be broken somewhere, and then 漢字かな交じり文 and 👩‍💻 emoji. "
    * 3
)
ANSWER = f"# A heading\n\n{LONG}\n\n- one\n- two\n\n```python\nprint('three')\n```\n\n| a | b |\n|---|---|\n| 1 | 漢字 |\n\nThe end."


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
async def test_everything_fits_the_columns_there_are(tmp_path: Path, columns: int) -> None:
    async with shell(tmp_path, {"arbiter": [CONSULT, ANSWER], "coding": [LONG]}), terminal(tmp_path, "chat", columns=columns) as at:
        await at.shows("/help")
        at.say("Why?")
        await at.shows("3 model calls")
        at.say("/why")
        await at.shows("you asked: Why?")
        for command, sign in (
            ("/help", "Ctrl-X"), ("/tools", "TOOL "), ("/usage", "this session"), ("/roles", "WINDOW"), ("/hosts", "LOADED"),
            ("/models", "LOADED ON"), ("/threads", "FIRST TASK"), ("/set temperature=5", "Allowed: a number"), ("/usgae", "//usgae"),
        ):  # fmt: skip
            at.say(command)
            await at.shows(sign)
        assert at.text.count("The end.") == 1
        assert "漢字かな交じり文" in at.text
        assert max(map(wcswidth, written(at.raw.decode()))) <= columns


def written(raw: str) -> list[str]:
    """Every piece that was written into one row: what is longer than the row would have been broken by the terminal."""
    return re.split(r"[\r\n]|\x1b\[[0-9;?]*[A-Za-ln-z]", re.sub(r"\x1b\[[0-9;]*m", "", raw))


async def test_the_answer_stays_whole_while_the_terminal_is_resized(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [ANSWER]}) as on:
        stall = on.on.host.faults.add("stall", chunks=20, times=1)
        async with terminal(tmp_path, "chat", columns=120, rows=30) as at:
            await at.shows("/help")
            at.say("Why?")
            await at.shows("A heading")
            for columns, rows in ((60, 20), (200, 50), (80, 24)):
                at.resize(columns, rows)
                await at.until(lambda: any("writing" in line for line in at.seen.split("\n")[-3:]))
            on.on.host.faults.remove(stall)
            at.press(CTRL_C)
            await at.shows("Interrupted. ")
            at.say("Again?")
            await at.shows("The end.")
            await at.until(lambda: at.seen.endswith("›"))
            assert at.text.count("The end.") == 1
            assert at.seen.count("\n›") >= 1


async def test_no_color_writes_no_colour(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [CONSULT, ANSWER], "coding": ["Thus."]}):
        async with terminal(tmp_path, "chat", NO_COLOR="1") as at:
            await at.shows("/help")
            at.say("Why?")
            await at.shows("3 model calls")
            at.say("/hosts")
            await at.shows("MEMORY")
            assert not at.colours
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.say("/hosts")
            await at.shows("MEMORY")
            assert at.colours


async def test_a_dumb_terminal_gets_plain_text_and_can_do_the_same(tmp_path: Path) -> None:
    question = Call("escalate_to_user", {"question": "Which colour?", "options": ["red", "blue"]})
    async with shell(tmp_path, {"arbiter": [question, CONSULT, ANSWER, "One two three four."], "coding": ["Thus."]}) as on:
        on.on.host.faults.add("stall", chunks=2, after=4)
        async with terminal(tmp_path, "chat", TERM="dumb") as at:
            await at.shows("/help")
            at.press("Why?\n")
            await at.shows("2. blue")
            at.press("2\n")
            await at.shows("✓ consult_coding_specialist")
            await at.shows("end.")
            await at.shows("[4 model calls · ")
            at.press("/open 1\n")
            await at.shows("[1] coding · coding on here")
            at.press("Count.\n")
            await at.shows("One two")
            at.press(CTRL_C)
            await at.shows("Interrupted. ")
            at.press(CTRL_C)
            await at.shows("Press Ctrl-C again")
            at.press(CTRL_C)
            assert await at.ended() == 0
            assert not [sign for sign in at.raw.decode() if sign < " " and sign not in "\r\n"]


async def test_in_a_pipe_each_line_is_a_turn_and_nothing_but_answers_is_on_stdout(tmp_path: Path) -> None:
    said = [CONSULT, "\x1b[31mOne\x1b[0m: **so**.", "Two.", "Three."]
    async with shell(tmp_path, {"arbiter": said, "coding": ["Thus."]}) as on:
        ended = await on.mmos("chat", "--thread", "t", given=b"First?\n\nSecond?\r\n/nowhere/is this a path?")
        assert ended.code == 0
        assert ended.out == "[31mOne[0m: **so**.\nTwo.\nThree.\n"
        assert on.on.heard("arbiter")[2:] == ["Second?", "/nowhere/is this a path?"]
        assert (await on.mmos("chat", "--last", given=b"/thread\n")).err == "Thread t, 3 exchanges. Resume it with: mmos chat --thread t\n"


async def test_in_a_pipe_an_answer_is_there_before_the_next_line_is_asked_for(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as on:
        process = await on.start("chat", stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        for task, answer in ((b"First?\n", b"One.\n"), (b"Second?\n", b"Two.\n")):
            process.stdin.write(task)
            assert await process.stdout.readline() == answer
        process.stdin.close()
        assert (await finish(process)).code == 0


async def test_in_a_pipe_a_turn_that_fails_is_told_on_stderr_and_the_next_one_is_served(tmp_path: Path) -> None:
    question = Call("escalate_to_user", {"question": "Which colour?"})
    async with shell(tmp_path, {"arbiter": [question, "Two."]}) as on:
        ended = await on.mmos("chat", given=b"Paint it.\nAnd now?\n")
        assert (ended.code, ended.out) == (0, "Two.\n")
        assert "Which colour?" in ended.err


async def test_in_a_pipe_a_command_that_is_none_is_an_error_as_at_a_terminal(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as on:
        ended = await on.mmos("chat", given=b"First?\n/usgae\n/\n//etc\n")
        assert (ended.code, ended.out) == (2, "One.\nTwo.\n")
        assert "mmos: There is no command /usgae. Did you mean /usage?\n" in ended.err
        assert "mmos: There is no command after the slash.\nThe commands: /help " in ended.err
        assert on.on.heard("arbiter") == ["First?", "/etc"], "no command reaches a model"


async def test_with_json_each_turn_is_one_document_in_a_line(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as on:
        ended = await on.mmos("chat", "--json", given=b"First?\n/roles\n/set nothing=1\nSecond?\n")
        first, roles, wrong, second = (json.loads(line) for line in ended.out.splitlines())
        assert (first["answer"], second["answer"]) == ("One.", "Two.")
        assert first["thread"] == second["thread"]
        assert roles["command"] == "/roles"
        assert wrong["reason"]["code"] == "usage"
        assert ended.code == 2


async def test_nothing_to_read_is_the_end(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One."]}) as on:
        ended = await on.mmos("chat")
        assert (ended.code, ended.out) == (0, "")


async def test_lines_are_broken_pasted_and_found_again_in_the_next_session(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two.", "Three.", "Four."]}) as on:
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.press("first" + ALT_ENTER + "second\r")
            await at.shows("One.")
            at.press("this goes on\\\rhere\r")
            await at.shows("Two.")
            at.press("\x1b[200~def f():\n    return 漢字\n\x1b[201~")
            await at.shows("return 漢字")
            at.say("")
            await at.shows("Three.")
            at.press(CTRL_D)
            assert await at.ended() == 0
        assert on.on.heard("arbiter") == ["first\nsecond", "this goes on\nhere", "def f():\n    return 漢字\n"]
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.press(UP)
            await at.until(lambda: "return 漢字" in at.seen)
            at.press("\x12this go")
            await at.until(lambda: "this goes on" in at.seen)
            at.press("\r\r")
            await at.shows("Four.")
        assert on.on.heard("arbiter")[3] == "this goes on\nhere"
        kept = tmp_path / ".mmos" / "chat_history.jsonl"
        assert kept.stat().st_mode & 0o077 == 0


async def test_the_rehearsal_says_what_it_is(tmp_path: Path) -> None:
    async with terminal(tmp_path, "chat", "--rehearse") as at:
        await at.shows("[rehearsal: scripted models answer; no model is asked]")
        at.say("Write a function that reverses a text.")
        await at.shows("4 model calls")


async def test_two_conversations_are_not_named_at_once(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One."]}) as on:
        assert (await on.mmos("chat", "--last", "--thread", "t")).code == 2
        ended = await on.mmos("chat", "--last", given=b"Hello?\n")
        assert ended.code == 2
        assert "There is no conversation to continue yet." in ended.err


async def test_without_a_configuration_the_models_of_this_machine_answer(tmp_path: Path) -> None:
    async with stage({"arbiter": ["Here I am."]}) as on, terminal(tmp_path, "chat", OLLAMA_HOST=on.host.url) as at:
        await at.shows("using the models of")
        await at.shows("arbiter arbiter")
        at.say("Who is there?")
        await at.shows("Here I am.")


@pytest.mark.skipif(not (has_engine() and built_in_file()), reason="the embedded model is not installed here")
async def test_without_an_ollama_either_the_embedded_model_is_offered(tmp_path: Path) -> None:
    async with terminal(tmp_path, "chat", OLLAMA_HOST="http://127.0.0.1:9") as at:
        await at.shows("Talk with the embedded model?")
        await at.shows("answer [yes] ›")
        at.say("")
        await at.shows("arbiter smollm2:135m")
    async with terminal(tmp_path, "chat", OLLAMA_HOST="http://127.0.0.1:9") as at:
        await at.shows("answer [yes] ›")
        at.say("no")
        await at.shows("arbiter qwen2.5:14b")


async def test_what_a_tool_prints_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("def shout() -> str:\n    '''Shout.'''\n    print('\\x1b[2JLOUD')\n    return 'done'\n")
    async with shell(tmp_path, {"arbiter": [Call("shout"), "Done.", Call("shout"), "Done again."]}) as on:
        file = tmp_path / "orchestration.yaml"
        file.write_text(file.read_text() + "  tools: ['loud:shout']\n")
        ended = await on.mmos("chat", "--trust", given=b"Shout.\n")
        assert ended.out == "Done.\n"
        assert "LOUD" in ended.err
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.say("Shout.")
            await at.shows("[2JLOUD")
            await at.shows("✓ shout · ")
            await at.shows("Done again.")
            assert b"\x1b[2J" not in at.raw


async def test_a_long_answer_leaves_no_copies_of_itself_whatever_is_typed_below_it(tmp_path: Path) -> None:
    """Neither the names that are offered for a command nor a paste push what is redrawn off the screen."""
    words = " ".join(f"word{number:03}" for number in range(300))
    async with shell(tmp_path, {"arbiter": [words]}) as on:
        stall = on.on.host.faults.add("stall", chunks=250, times=1)
        async with terminal(tmp_path, "chat", rows=20) as at:
            await at.shows("/help")
            at.say("Count.")
            await at.shows("word200")
            at.press("/s")
            await at.shows("write the conversation to FILE")
            at.press("\x15")
            at.press("\x1b[200~" + "\r".join(f"pasted {number}" for number in range(40)) + "\x1b[201~")
            await at.shows("pasted 39")
            at.press(CTRL_C)
            await at.shows("Interrupted. ")
            assert at.text.count("word003") == 1
            assert at.text.count("word150") == 1
            on.on.host.faults.remove(stall)


async def test_of_a_long_paste_the_beginning_is_shown(tmp_path: Path) -> None:
    wide = {"arbiter": {"context_window": 32768}}
    async with shell(tmp_path, {"arbiter": ["I have read it."]}, orchestration=wide) as on:
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.press("\x1b[200~" + "\r".join(f"pasted {number}" for number in range(2000)) + "\x1b[201~")
            await at.shows("pasted 1999")
            at.say("")
            await at.shows("I have read it.")
            assert "› pasted 0\n  pasted 1\n" in at.text
            assert "  … 1,988 more lines" in at.text
        assert on.on.heard("arbiter")[0].endswith("pasted 1999")


async def test_a_terminal_that_is_closed_ends_the_turn_and_keeps_what_there_is(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One two three four five."]}) as on:
        on.on.host.faults.add("stall", chunks=3)
        async with terminal(tmp_path, "chat", "--thread", "t") as at:
            at.say("Count.")
            await at.shows("One two")
            at.process.send_signal(signal.SIGHUP)
            await at.ended()
        shown = await on.mmos("threads", "show", "t")
        assert "cancelled" in shown.out
        assert "One two" in shown.out


async def test_hosts_that_are_down_are_told_of_in_a_line_each(tmp_path: Path) -> None:
    gone = {"servers": {"gone": {"url": "http://127.0.0.1:9"}}}
    async with shell(tmp_path, {"arbiter": ["So."]}, orchestration=gone), terminal(tmp_path, "chat", columns=120) as at:
        await at.shows("`mmos doctor` shows how to fix this.")
        lines = at.lines
        told = lines.index("! gone: Nothing listens at http://127.0.0.1:9 (gone).")
        assert lines[told + 1] == "`mmos doctor` shows how to fix this."

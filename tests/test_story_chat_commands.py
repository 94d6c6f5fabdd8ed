"""Stories of slash commands at a terminal, from /help to /quit."""

from __future__ import annotations

import stat
from base64 import b64encode
from pathlib import Path

from mmos.testing import Call
from tests.shell import shell
from tests.terminal import CTRL_D, TAB, terminal

CONSULT = [Call("consult_coding_specialist", {"query": "How so?"})]


async def test_commands_that_tell(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [CONSULT, "So."], "coding": ["Thus it is."]}) as on:
        async with terminal(tmp_path, "chat", columns=120) as at:
            await at.shows("/help")
            at.say("/helo")
            await at.shows("There is no command /helo. Did you mean /help?")
            at.say("/")
            await at.shows("The commands: /help /tools")
            at.say("/help")
            await at.shows("searches your earlier input")
            at.say("/help attach")
            await at.shows("/attach [FILE]: attach a text file or an image to the next message")
            at.say("/why")
            await at.shows("Nothing has been asked in this session yet.")
            at.say("Why?")
            await at.shows("3 model calls")
            at.say("/tools")
            await at.shows("TOOL ")
            at.say("/tools consult_coding_specialist")
            await at.shows("ARGUMENT ")
            at.say("/tools consult")
            await at.shows("There is no tool 'consult'")
            at.say("/roles")
            await at.shows("WHERE IT MAY RUN")
            at.say("/hosts")
            await at.shows("MEMORY")
            at.say("/models")
            await at.shows("LOADED ON")
            at.say("/why")
            await at.shows("coding: arbiter called consult_coding_specialist: How so?")
            await at.shows("coding, as configured, on here, which had to load it")
            await at.shows("queued 0.0 s · loading 2.0 s · reading ")
            at.say("/usage")
            await at.shows("this session  3 ")
            at.say("/open coding")
            await at.shows("[1] coding · coding on here\nThus it is.")
            at.say("/open 7")
            await at.shows("There are: 1 (coding).")
            at.say("/quit")
            assert await at.ended() == 0
        assert len(on.on.heard("arbiter")) == 2, "no command asks a model"


async def test_a_command_that_is_typed_behind_another_is_obeyed_behind_it(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": []}) as on, terminal(tmp_path, "chat") as at:
        await at.shows("/help")
        on.on.host.faults.add("late", path="/api/tags", seconds=0.5)
        at.say("/hosts")
        await at.shows("› /hosts")
        at.say("/roles")
        at.say("/usgae")
        await at.shows("There is no command /usgae.")
        await at.shows("MEMORY")
        places = [at.text.index(text) for text in ("› /hosts", "MEMORY", "› /roles", "WINDOW", "› /usgae", "There is no command")]
        assert places == sorted(places)


async def test_retry_asks_the_last_task_again_and_the_old_answer_no_longer_counts(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["A poor answer.", "A better answer.", "And on."]}) as on:
        async with terminal(tmp_path, "chat", "--thread", "t") as at:
            await at.shows("/help")
            at.say("/retry")
            await at.shows("Nothing has been asked in this conversation yet.")
            at.say("Do it.")
            await at.shows("A poor answer.")
            at.say("/retry")
            await at.shows("no longer counts")
            await at.shows("A better answer.")
            at.say("Go on.")
            await at.shows("And on.")
        assert on.on.heard("arbiter") == ["Do it.", "Do it.", "Go on."]
        history = [message["content"] for message in on.on.sent("arbiter")[2]["messages"]][1:]
        assert history == ["Do it.", "A better answer.", "Go on."]
        shown = await on.mmos("threads", "export", "t")
        assert "A poor answer." in shown.out, "the record stays"


async def test_edit_puts_the_last_task_into_the_line_or_the_editor(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'Do it well.' > \"$1\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    async with shell(tmp_path, {"arbiter": ["One.", "Two.", "Three."]}) as on:
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.say("Do it.")
            await at.shows("One.")
            at.say("/edit")
            await at.shows("Press Enter to ask this instead of the last task")
            await at.until(lambda: at.seen.endswith("› Do it."))
            at.say(" Now.")
            await at.shows("Two.")
        async with terminal(tmp_path, "chat", "--last", EDITOR=str(editor)) as at:
            await at.shows("/help")
            at.say("/edit")
            await at.until(lambda: at.seen.endswith("› Do it well."))
            at.say("")
            await at.shows("Three.")
        assert on.on.heard("arbiter") == ["Do it.", "Do it. Now.", "Do it well."]
        assert "Two." not in str(on.on.sent("arbiter")[2])


async def test_the_line_is_opened_in_the_editor_and_every_way_to_send_it_goes_on_with_the_session(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf ' and well.\\n' >> \"$1\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as on:
        async with terminal(tmp_path, "chat", EDITOR=str(editor)) as at:
            await at.shows("/help")
            at.press("Do it")
            at.press("\x18\x05")
            await at.until(lambda: at.seen.endswith("› Do it and well."))
            at.say("")
            await at.shows("One.")
            at.press("Again.\x0f")  # Ctrl-O: to prompt_toolkit the end of the line and of its work
            await at.shows("Two.")
        async with terminal(tmp_path, "chat", EDITOR="'unclosed") as at:
            await at.shows("/help")
            at.press("Do it\x18\x05")
            await at.shows("There is no editor. Set $VISUAL or $EDITOR to one that works.")
            await at.until(lambda: at.seen.endswith("› Do it"))
        assert on.on.heard("arbiter") == ["Do it and well.", "Again."]


async def test_a_file_is_attached_to_the_next_message_only(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Buy milk.\n```\nfenced\n```\n")
    (tmp_path / "bytes").write_bytes(b"\x89\0\xff")
    (tmp_path / "huge.log").write_text("line\n" * 300_000)
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as on:
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.press("/attach no")
            at.press(TAB)
            await at.until(lambda: "› /attach notes.txt" in at.seen)
            at.say("")
            await at.shows("goes with your next message")
            await at.shows("attached: notes.txt")
            at.say("/attach bytes")
            await at.shows("bytes is neither text in UTF-8 nor an image")
            at.say("/attach huge.log")
            await at.shows("has more than 1,024 kB")
            at.say("/attach nowhere.txt")
            await at.shows("nowhere.txt: no such file or directory.")
            at.say("Read this.")
            await at.shows("One.")
            await at.until(lambda: "attached:" not in at.seen.rpartition("One.")[2])
            at.say("And this.")
            await at.shows("Two.")
        read = "Read this.\n\nThe file notes.txt:\n````\nBuy milk.\n```\nfenced\n```\n````"
        assert on.on.heard("arbiter") == [read, "And this."]


async def test_what_was_attached_goes_along_when_the_task_is_asked_again(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Buy milk.")
    async with shell(tmp_path, {"arbiter": ["One.", "Two.", "Three."]}) as on:
        assert (await on.mmos("run", "--thread", "t", "-f", "notes.txt", "Read this.")).out == "One.\n"
        given = b"/retry\n/attach notes.txt\nAnd this.\n"
        assert (await on.mmos("chat", "--thread", "t", given=given)).out == "Two.\nThree.\n"
        block = "The file notes.txt:\n```\nBuy milk.\n```"
        assert on.on.heard("arbiter") == [f"Read this.\n\n{block}", f"Read this.\n\n{block}", f"And this.\n\n{block}"]
        assert "(with notes.txt)" in (await on.mmos("threads", "show", "t")).out


async def test_what_is_set_holds_for_the_session(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [CONSULT, "So.", "Again."], "coding": ["Thus."], "other": ["I am the other."]}) as on:
        async with terminal(tmp_path, "chat", columns=120) as at:
            await at.shows("/help")
            at.say("/set")
            await at.shows("Nothing is set")
            at.say("/set codng=other@here")
            await at.shows("did you mean 'coding'?")
            at.say("/set coding=other@nowhere")
            await at.shows("There is no host 'nowhere'")
            at.say("/set coding=other@here")
            await at.shows("coding  other@here")
            assert "cannot be asked" not in at.text
            at.say("/set coding=nobodys")
            await at.shows("! coding (nobodys) cannot be asked: here does not have nobodys.")
            at.say("/set coding=other@here")
            await at.shows("coding  other@here", times=2)
            at.say("/set temperature=0.2")
            await at.shows("temperature  0.2")
            at.say("/system Be brief.")
            await at.shows("The arbiter gets these instructions from the next turn on")
            at.say("Why?")
            await at.shows("3 model calls")
            at.say("/open")
            await at.shows("I am the other.")
            at.say("/set temperature=")
            at.say("/system none")
            await at.shows("only those of the configuration.")
            at.say("And?")
            await at.shows("Again.")
        first, last = on.on.sent("arbiter")[0], on.on.sent("arbiter")[2]
        assert first["options"]["temperature"] == 0.2
        assert "temperature" not in last["options"]
        assert "Be brief." in first["messages"][0]["content"]
        assert "Be brief." not in last["messages"][0]["content"]
        assert on.on.heard("other")


async def test_a_value_is_checked_when_it_is_set(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["So."], "coding": []}) as on:
        given = "/set timeout=soon\n/set coding.temperature=nan\n/set temprature=1\n/set timeout=5m\n/set coding=@here\n"
        ended = await on.mmos("chat", given=given.encode())
        assert 'mmos: timeout cannot be \'soon\'.\nAllowed: seconds, more than 0, as a number or like "30s" or "5m".\n' in ended.err
        assert "mmos: coding.temperature cannot be 'nan'.\nAllowed: a number from 0 to 2.\n" in ended.err
        assert "did you mean 'temperature'?" in ended.err
        assert "No host" not in ended.err, "the model of the role stays"
        assert ended.out.endswith("timeout  300 s\ncoding   @here\n")
        assert ended.code == 2


async def test_save_writes_the_conversation_and_replaces_no_file_unasked(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["**So** it is."]}), terminal(tmp_path, "chat") as at:
        await at.shows("/help")
        at.say("/save talk.md")
        await at.shows("Nothing has been said yet.")
        at.say("Why?")
        await at.shows("1 model call")
        at.say("/save talk.md")
        await at.shows("1 exchange written to talk.md.")
        assert "Why?\n\n---\n\n**So** it is." in (tmp_path / "talk.md").read_text()
        at.say("/save talk.md")
        await at.shows("talk.md exists already.")
        at.say("/save -f talk.md")
        await at.shows("written to talk.md.", 2)


async def test_copy_goes_through_the_terminal_over_ssh(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["So it is."]}), terminal(tmp_path, "chat", SSH_CONNECTION="10.0.0.1 1 10.0.0.2 22") as at:
        await at.shows("/help")
        at.say("/copy")
        await at.shows("There is no such answer to copy.")
        at.say("Why?")
        await at.shows("1 model call")
        at.say("/copy")
        await at.shows("Copied through the terminal")
        assert b"\x1b]52;c;" + b64encode(b"So it is.") + b"\x07" in at.raw


async def test_cancel_stops_the_turn_and_what_was_typed_ahead(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One two three four."]}) as on:
        on.on.host.faults.add("stall", chunks=2, times=1)
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            at.say("/cancel")
            await at.shows("Nothing is running.")
            at.say("Count.")
            await at.shows("One two")
            at.say("Never asked.")
            await at.shows("waits: Never asked.")
            at.say("/cnacel")
            await at.shows("Did you mean /cancel?")
            at.say("/usage")
            await at.shows("last turn  ")
            at.say("/cancel all")
            await at.shows("Interrupted. ")
            await at.shows("Dropped 1 waiting line.")
            at.say("/threads")
            await at.shows("FIRST TASK")
        assert on.on.heard("arbiter") == ["Count."]


async def test_threads_are_resumed_with_their_tail(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two.", "Three.", "Four."]}) as on:
        async with terminal(tmp_path, "chat", "--thread", "numbers") as at:
            await at.shows("A new conversation named numbers begins")
            for task, said in (("First?", "One."), ("Second?", "Two."), ("Third?", "Three.")):
                at.say(task)
                await at.shows(said)
            at.say("/thread")
            await at.shows("Thread numbers, 3 exchanges.")
            at.say("/thread new")
            await at.shows("A new conversation begins")
            at.press(CTRL_D)
            assert await at.ended() == 0
        async with terminal(tmp_path, "chat", "--last") as at:
            await at.shows("thread numbers")
            assert "… 1 earlier" in at.text
            assert "› Second?" in at.text
            assert "Three." in at.text
            assert "One." not in at.text
            at.say("Fourth?")
            await at.shows("Four.")
        assert [message["content"] for message in on.on.sent("arbiter")[3]["messages"]][-3:] == ["Third?", "Three.", "Fourth?"]


async def test_tab_completes_commands_roles_and_tools(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One."], "coding": ["Thus."]}), terminal(tmp_path, "chat") as at:
        await at.shows("/help")
        at.press("/th")
        await at.shows("/threads")
        await at.shows("list the conversations")
        at.press("\x15/he" + TAB)
        await at.until(lambda: "› /help" in at.seen)
        at.press("\x15/set cod" + TAB)
        await at.until(lambda: "› /set coding=" in at.seen)
        at.press("\x15/tools consult_cod" + TAB)
        await at.until(lambda: "› /tools consult_coding_specialist" in at.seen)
        at.press("\x15Ask codi" + TAB)
        await at.until(lambda: "› Ask coding" in at.seen)


async def test_two_answers_beside_each_other(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["So."], "coding": ["Thus it is."], "reasoning": ["By no means."]}) as on:
        lines = "/compare coding reasoning\nWhy?\n/compare coding\n/compare coding reasoning\n"
        ended = await on.mmos("chat", given=lines.encode())
        assert "Nothing has been asked in this conversation yet." in ended.err
        assert "Two names are needed." in ended.err
        assert "Thus it is." in ended.out
        (row,) = [line for line in ended.out.splitlines() if "Thus it is." in line]
        assert row.split("│")[1].strip() == "By no means."
        assert "Why?" in on.on.heard("reasoning")[0]

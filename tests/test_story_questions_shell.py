"""Stories of questions to the user at the command line: each command is a process of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pexpect

from mmos.answers import this_user
from mmos.events import LaneOpened, QuestionAnswered, QuestionAsked, Reason, RunFinished, RunStarted
from mmos.journal import Journal, new_id
from mmos.messages import File, Message
from mmos.testing import Call, consult
from tests.shell import Shell, shell
from tests.test_story_terminal import sit, terminal

DEEP = {name: {"tools": {"allow": ["consult_*", "escalate_to_user"]}} for name in ("coding", "analysis", "reasoning")}
"""Specialists that may consult the others and ask the user."""


def ask(question: str = "Which one?", **more: Any) -> Call:
    return Call("escalate_to_user", {"question": question, **more})


async def waiting(at: Shell, *args: str) -> str:
    """The id of a run that waits for an answer."""
    ended = await at.mmos("run", "--on-question", "wait", *args, "Paint it.")
    assert ended.code == 3
    return ended.out.strip()


async def test_waiting_runs_are_listed_with_their_questions_and_the_command_that_answers(tmp_path: Path) -> None:
    questions = [ask(options=["red", "blue"], default="red", deadline="2h"), ask("How many?", kind="number")]
    async with shell(tmp_path, {"arbiter": ["Hello.", questions, "Done."]}) as at:
        assert (await at.mmos("runs", "list", "--waiting")).err == "No run waits for an answer.\n"
        await at.mmos("run", "Say hello.")
        run = await waiting(at)
        listed = (await at.mmos("runs", "list", "--waiting")).out
        assert "Say hello." not in listed
        for text in (
            "Paint it.",
            "q1  arbiter asks (choice): Which one?",
            "2. blue",
            "default: red",
            "time until 20",
            "q2  arbiter asks (number): How many?",
        ):
            assert text in listed
        assert f"mmos runs answer {run} --question q2 TEXT" in listed
        (row,) = (await at.mmos("runs", "list", "--waiting", "--json")).document["runs"]
        assert [question["kind"] for question in row["questions"]] == ["choice", "number"]
        assert row["question"] == row["questions"][1]
        assert row["deadline"] == row["questions"][0]["deadline"]
        table = (await at.mmos("runs", "list")).out
        assert "waiting until 20" in table

        refused = await at.mmos("runs", "answer", run, "red")
        assert (refused.code, "has 2 open questions" in refused.err, "--question ID" in refused.err) == (2, True, True)
        wrong = await at.mmos("runs", "answer", run, "--question", "q2", "many")
        assert (wrong.code, wrong.err) == (2, "mmos: 'many' does not answer the question.\nGive a number, such as 3 or 0.5.\n")
        first = await at.mmos("runs", "answer", run, "--question", "q2", "3")
        assert (first.code, first.out.strip()) == (3, run)
        last = await at.mmos("runs", "answer", run, "2")
        assert (last.code, last.out) == (0, "Done.\n")
        assert f"q2 answered by {this_user()}: 3" in (await at.mmos("runs", "show", run)).out
        results = [message["content"] for message in at.on.sent("arbiter")[-1]["messages"] if message["role"] == "tool"]
        assert results == ["blue", "3"]


async def test_a_question_from_three_participants_deep_is_answered_in_another_process(tmp_path: Path) -> None:
    roles = {
        "arbiter": [consult("coding"), "The door is red."],
        "coding": [consult("analysis"), "Red, says analysis."],
        "analysis": [consult("reasoning"), "Red, says reasoning."],
        "reasoning": [ask("Which colour?", options=["red", "blue"]), "Red, says the user."],
    }
    async with shell(tmp_path, roles, orchestration={"specialists": DEEP}) as at:
        run = await waiting(at)
        (row,) = (await at.mmos("runs", "list", "--waiting", "--json")).document["runs"]
        assert (row["question"]["from"], row["question"]["text"]) == ("reasoning", "Which colour?")
        ended = await at.mmos("runs", "answer", run, "1")
        assert (ended.code, ended.out) == (0, "The door is red.\n")
        assert at.on.heard("reasoning")[1] == "red"
        assert [len(at.on.sent(role)) for role in roles] == [2, 2, 2, 2]  # nobody is asked again


async def test_a_deep_question_takes_its_default_after_its_deadline(tmp_path: Path) -> None:
    roles = {
        "arbiter": [consult("coding"), "The door is blue."],
        "coding": [consult("analysis"), "Blue, says analysis."],
        "analysis": [ask("Which colour?", default="blue", deadline="100ms"), "Blue, by default."],
    }
    allowed = {role: DEEP[role] for role in ("coding", "analysis")}
    async with shell(tmp_path, roles, orchestration={"specialists": allowed}) as at:
        run = await waiting(at)
        await asyncio.sleep(0.1)
        assert "waiting, overdue" in (await at.mmos("runs", "list")).out
        late = await at.mmos("runs", "answer", run, "red")
        assert (late.code, late.out) == (0, "The door is blue.\n")
        assert "mmos: Your answer to q1 came too late. Nobody answered by 20" in late.err
        assert "MMOS takes the default: blue" in late.err
        assert at.on.heard("analysis")[1] == "Nobody answered in time, so your default holds: blue"
        shown = (await at.mmos("runs", "show", run)).out
        assert "analysis asks the user (q1, until 20" in shown
        assert "q1 was not answered in time: blue" in shown


async def test_overdue_runs_are_resumed_together(tmp_path: Path) -> None:
    turns = [ask(default="blue", deadline="100ms"), ask(deadline="1h"), ask(default="no", deadline="100ms"), "First done.", "Second done."]
    async with shell(tmp_path, {"arbiter": turns}) as at:
        first, _, second = [await waiting(at) for _ in range(3)]
        await asyncio.sleep(0.1)
        ended = await at.mmos("runs", "resume", "--overdue")
        assert (ended.code, ended.out) == (0, f"{first}  answered  First done.\n{second}  answered  Second done.\n")
        assert ended.err.count("MMOS takes the default") == 2
        again = await at.mmos("runs", "resume", "--overdue", "--json")
        assert (again.code, again.document) == (0, {"version": 1, "runs": []})
        assert (await at.mmos("runs", "resume", "--overdue", first)).code == 2
        assert (await at.mmos("runs", "resume")).code == 2


async def test_an_answer_is_kept_when_the_run_cannot_go_on(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [ask(), "Red it is."]}) as at:
        run, config = await waiting(at), tmp_path / "orchestration.yaml"
        text = config.read_text()
        config.write_text("broken: [")
        refused = await at.mmos("runs", "answer", run, "red")
        assert (refused.code, f"Your answer is kept. To continue the run: mmos runs resume {run}" in refused.err) == (2, True)
        config.write_text(text)
        at.on.host.faults.add("status", status=500, error="engine lost")
        failed = await at.mmos("runs", "resume", run)
        assert failed.code == 4
        at.on.host.faults.clear()
        second = await at.mmos("runs", "answer", run, "blue")
        assert (second.code, "answered q1 at" in second.err, ": red" in second.err) == (2, True, True)
        assert (await at.mmos("runs", "resume", run)).out == "Red it is.\n"
        assert at.on.heard("arbiter")[-1] == "red"


async def test_an_answer_may_be_a_negative_number(tmp_path: Path) -> None:
    ask = Call("escalate_to_user", {"question": "How cold?", "kind": "number"})
    async with shell(tmp_path, {"arbiter": [ask, "Cold."]}) as at:
        run = (await at.mmos("run", "Freeze.", "--on-question", "wait")).out.strip()
        for args in (("--foo",), ("-3", "--foo"), ("-x",)):
            wrong = await at.mmos("runs", "answer", run, *args)
            assert (wrong.code, "--foo" in wrong.err or "-x" in wrong.err) == (2, True)
        ended = await at.mmos("runs", "answer", run, "-3.5", "--timeout", "60")
        assert (ended.code, ended.out) == (0, "Cold.\n"), ended.err
        assert "-3.5" in str(at.on.sent("arbiter")[-1])


async def test_of_two_processes_that_answer_at_once_one_wins(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [ask(), "Done."]}) as at:
        run = await waiting(at)
        ended = await asyncio.gather(*(at.mmos("runs", "answer", run, colour) for colour in ("red", "blue")))
        winner, loser = sorted(ended, key=lambda one: one.code)
        assert (winner.code, winner.out, loser.code) == (0, "Done.\n", 2)
        assert "answered q1 at" in loser.err or "still at work" in loser.err
        assert at.on.heard("arbiter")[1] == ("red" if ended[0] is winner else "blue")


# ---------------------------------------------------------------- at a terminal


async def test_a_terminal_asks_again_after_a_wrong_answer(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Two coats.\n")

    def talk() -> str:
        screen = terminal(tmp_path, "run", "Paint it.")
        for prompt, wrong, fault, right in (
            ("a number", "many", "Give a number, such as 3 or 0.5.", "3"),
            ("yes or no", "perhaps", "Give yes or no.", "y"),
            ("the path of a text file", "gone.txt", "no such file", "notes.txt"),
        ):
            screen.expect_exact(f"Answer ({prompt}): ")
            screen.sendline(wrong)
            screen.expect_exact(fault)
            screen.expect_exact(f"Answer ({prompt}): ")
            screen.sendline(right)
        screen.expect(pexpect.EOF)
        screen.close()
        return screen.before

    turns = [ask("How many?", kind="number"), ask("Sure?", kind="confirm"), ask("Which notes?", kind="file"), "Painted."]
    async with shell(tmp_path, {"arbiter": turns}) as at:
        assert "Painted." in await sit(talk)
        assert at.on.heard("arbiter")[1:3] == ["3", "yes"]
        assert "Two coats." in at.on.heard("arbiter")[3]


async def test_a_terminal_takes_the_default_at_the_deadline_and_refuses_others_until_then(tmp_path: Path) -> None:
    def wait() -> str:
        screen = terminal(tmp_path, "run", "Paint it.")
        screen.expect("There is time until .*: blue")
        screen.expect_exact("Answer [blue]: ")
        screen.expect(pexpect.EOF)
        screen.close()
        return screen.before

    async with shell(tmp_path, {"arbiter": [ask(default="blue", deadline="3s"), "Blue it is."]}) as at:
        sitting = asyncio.create_task(sit(wait))
        while not (rows := (await at.mmos("runs", "list", "--json")).document["runs"]) or not at.on.sent("arbiter"):
            await asyncio.sleep(0.05)
        refused = await at.mmos("runs", "answer", rows[0]["run"], "red")
        assert (refused.code, "Answer at the terminal where it runs." in refused.err) == (2, True)
        text = await sitting
        assert "Blue it is." in text
        assert "MMOS takes the default: blue" in text


async def test_a_strange_question_in_a_journal_is_listed_and_shown(tmp_path: Path) -> None:
    run, thread = new_id(), new_id()
    strange = QuestionAsked("q1", run, "arbiter", "c1", "\x1b[2JWhich?\nq9", "colour", ("\x1b[1m", ""), "", 2.0**60, "x", {"tool": 5})  # type: ignore[arg-type]
    async with shell(tmp_path, {"arbiter": ["Done."]}) as at:
        async with await Journal.open(tmp_path / ".mmos") as journal:
            for event in (
                RunStarted("Go.", journal.process),
                LaneOpened(run, "arbiter", Message("user", "Go.")),
                strange,
                QuestionAnswered("q7", "always", file=File("a", image="x")),
                RunFinished("waiting", None, Reason("question_open", "?")),
            ):
                journal.append(run, thread, event)
            await journal.durable()
        for args in (("runs", "list"), ("runs", "list", "--waiting"), ("runs", "show", run), ("runs", "resume", "--overdue")):
            ended = await at.mmos(*args)
            assert (ended.code, "Traceback" in ended.err) == (0, False)
        assert (await at.mmos("runs", "answer", run, "red")).code in (0, 1, 2, 4)

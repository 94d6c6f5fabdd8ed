"""Stories of runs that are forked: a turn is taken again with something changed, and what came before it is shared, not copied or done again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import mmos
from mmos.app import RunOptions
from mmos.events import Forked, ModelAsked, ThreadNamed, Warned
from mmos.journal import Journal, Tuning, new_id
from mmos.testing import Call, Model, consult, facts, stage
from mmos.views.listing import RUN_KINDS, THREAD_KINDS, runs, threads
from mmos.views.run import RunView
from tests.shell import shell

ROLES = {
    "arbiter": [consult("coding"), Call("deposit", {"number": 1}), "First answer.", "Second answer.", "Third answer."],
    "coding": ["Use a lock."],
}


def depositing(done: list[int]) -> mmos.Tool:
    @mmos.tool
    def deposit(number: int) -> str:
        done.append(number)
        return f"deposited {number}"

    return mmos.toolbox.from_function(deposit)


async def test_a_fork_goes_on_from_a_turn_and_repeats_nothing_before_it(tmp_path: Path) -> None:
    done: list[int] = []
    async with stage(ROLES, tools=[depositing(done)], state=tmp_path) as on:
        first = await on.app.run("Do it.", thread="work")
        fork = await on.app.fork(first.run, at=3)
        answer = await on.app.resume(fork.run)
        assert (first.text, answer.text) == ("First answer.", "Second answer.")
        assert (answer.run, answer.thread != first.thread, fork.turn) == (fork.run, True, 3)
        assert (done, len(on.sent("coding")), len(on.sent("arbiter"))) == ([1], 1, 4)
        assert on.sent("arbiter")[3] == on.sent("arbiter")[2]  # the same request, byte for byte in its messages
        assert (answer.view.origin, answer.view.origin_turn, answer.view.task) == (first.run, 3, "Do it.")
        again = await on.app.journal.read(run=first.run)
        assert mmos.app.Answer.of(mmos.views.run.RunView.of(again)).text == "First answer."  # it stays as it is


async def test_the_past_is_shared_and_not_copied(tmp_path: Path) -> None:
    async with stage(ROLES, tools=[depositing([])], state=tmp_path) as on:
        first = await on.app.run("Do it.")
        before = len(await on.app.journal.read())
        fork = await on.app.fork(first.run)
        [own] = [entry for entry in await on.app.journal.read() if entry.run == fork.run]
        assert isinstance(own.event, Forked)
        assert len(await on.app.journal.read()) == before + 1
        seen = await on.app.journal.read(run=fork.run)
        assert {entry.run for entry in seen} == {fork.run}
        assert {entry.thread for entry in seen} == {own.thread}
        assert [entry.seq for entry in seen] == sorted(entry.seq for entry in seen)
        assert seen[-1].event == own.event
        asks = await facts(on.app, fork.run, ModelAsked)
        assert [ask.ask for ask in asks] == ["a1", "a2", "a3"]


async def test_another_model_takes_the_turn(tmp_path: Path) -> None:
    roles = {**ROLES, "other": Model.scripted("other", ["Another answer."])}
    async with stage(roles, tools=[depositing([])], state=tmp_path) as on:
        first = await on.app.run("Do it.")
        fork = await on.app.fork(first.run, at=3, options=RunOptions(roles={"arbiter": "other"}))
        answer = await on.app.resume(fork.run)
        assert (answer.text, len(on.sent("other"))) == ("Another answer.", 1)
        assert answer.view.options["roles"] == {"arbiter": "other"}


async def test_the_thread_of_a_fork_has_the_past_of_the_conversation(tmp_path: Path) -> None:
    async with stage({"arbiter": ["One.", "Two.", "Two again.", "Three."]}, state=tmp_path) as on:
        await on.app.run("First?", thread="talk")
        second = await on.app.run("Second?", thread="talk")
        fork = await on.app.fork(second.run)
        forked = await on.app.resume(fork.run)
        third = await on.app.run("Third?", thread=forked.thread)
        assert (forked.text, third.text) == ("Two again.", "Three.")
        said = [message["content"] for message in on.sent("arbiter")[-1]["messages"] if message["role"] != "system"]
        assert said == ["First?", "One.", "Second?", "Two again.", "Third?"]
        original = await on.app.journal.read(thread=second.thread, kinds=("run_finished",))
        assert [entry.event.answer for entry in original] == ["One.", "Two."]


async def test_a_fork_of_a_fork_reaches_back_to_the_first_run(tmp_path: Path) -> None:
    done: list[int] = []
    async with stage(ROLES, tools=[depositing(done)], state=tmp_path) as on:
        first = await on.app.run("Do it.")
        second = await on.app.resume((await on.app.fork(first.run, at=3)).run)
        third = await on.app.resume((await on.app.fork(second.run, at=3)).run)
        assert [first.text, second.text, third.text] == ["First answer.", "Second answer.", "Third answer."]
        assert done == [1]
        asks = [event.ask for event in await facts(on.app, third.run, ModelAsked)]
        assert asks == ["a1", "a2", "a3", "a4"]


async def test_a_fork_of_a_fork_at_a_shared_turn_keeps_the_options_of_the_run_that_is_named(tmp_path: Path) -> None:
    roles = {**ROLES, "other": Model.scripted("other", ["Other.", "Another."]), "third": Model.scripted("third", ["Third."])}
    async with stage(roles, tools=[depositing([])], state=tmp_path) as on:
        first = await on.app.run("Do it.")
        changed = RunOptions(roles={"arbiter": "other"}, system="Be brief.")
        second = await on.app.resume((await on.app.fork(first.run, at=3, options=changed)).run)
        fork = await on.app.fork(second.run, at=2, options=RunOptions(roles={"arbiter": "third"}))
        third = await on.app.resume(fork.run)
        assert (fork.origin, second.text, third.text) == (second.run, "Other.", "Third.")
        assert dict(third.view.options) == {**second.view.options, "roles": {"arbiter": "third"}}
        asks = [event.ask for event in await facts(on.app, third.run, ModelAsked)]
        assert asks == ["a1", "a2", "a3"]
        assert [first.run] == [row.origin for row in runs(await on.app.journal.read(kinds=RUN_KINDS), on.app.journal.alive, 0.0)][2:]


async def test_a_fork_of_a_forked_conversation_after_a_shared_task(tmp_path: Path) -> None:
    async with stage({"arbiter": ["One.", "Two.", "Three.", "Four."]}, state=tmp_path) as on:
        await on.app.run("First?", thread="talk")
        await on.app.run("Second?", thread="talk")
        await on.app.fork_thread("talk", name="other")
        await on.app.run("Third?", thread="other")
        await on.app.run("Fourth?", thread=await on.app.fork_thread("other", after=1))
        said = [message["content"] for message in on.sent("arbiter")[-1]["messages"] if message["role"] != "system"]
        assert said == ["First?", "One.", "Fourth?"]


async def test_a_request_inside_a_consultation_means_the_turn_that_consulted(tmp_path: Path) -> None:
    async with stage(ROLES, tools=[depositing([])], state=tmp_path) as on:
        first = await on.app.run("Do it.")
        inner = next(event for event in await facts(on.app, first.run, ModelAsked) if event.role == "coding")
        fork = await on.app.fork(first.run, at=inner.ask)
        assert (fork.turn, fork.exact) == (1, False)
        own = await on.app.fork(first.run, at="a1")
        assert (own.turn, own.exact) == (1, True)


async def test_a_turn_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async with stage(ROLES, tools=[depositing([])], state=tmp_path) as on:
        first = await on.app.run("Do it.")
        for at in (0, 4, "a99"):
            with pytest.raises(mmos.MmosError, match=f"has no turn {at}. It has 3 turns"):
                await on.app.fork(first.run, at=at)


async def test_lists_show_forks(tmp_path: Path) -> None:
    async with stage(ROLES, tools=[depositing([])], state=tmp_path) as on:
        first = await on.app.run("Do it.", thread="work")
        fork = await on.app.resume((await on.app.fork(first.run)).run)
        rows = runs(await on.app.journal.read(kinds=RUN_KINDS), on.app.journal.alive, 0.0)
        assert [(row.run, row.status, row.task, row.origin) for row in rows] == [
            (first.run, "answered", "Do it.", ""),
            (fork.run, "answered", "Do it.", first.run),
        ]
        known = threads(await on.app.journal.read(kinds=THREAD_KINDS))
        assert [(row.thread, row.runs, row.first, row.origin) for row in known] == [
            (first.thread, 1, "Do it.", ""),
            (fork.thread, 1, "Do it.", first.thread),
        ]
        [alone] = threads(await on.app.journal.read(thread=fork.thread, kinds=THREAD_KINDS))
        assert (alone.runs, alone.first) == (1, "Do it.")


async def test_the_stream_of_a_fork_begins_with_its_past(tmp_path: Path) -> None:
    async with stage(ROLES, tools=[depositing([])], state=tmp_path) as on:
        first = await on.app.run("Do it.")
        fork = await on.app.fork(first.run, at=3)
        kinds = [event.kind async for event in on.app.stream_resumed(fork.run) if not isinstance(event, mmos.Hint)]
        assert kinds[0] == "run_started"
        assert kinds.index("forked") < kinds.index("run_resumed") < kinds.index("run_finished")


async def test_nobody_works_on_a_fork_until_it_is_resumed(tmp_path: Path) -> None:
    async with stage({"arbiter": ["One.", "Elsewhere."]}, state=tmp_path) as on, mmos.open(on.config, state=tmp_path) as elsewhere:
        first = await on.app.run("Do it.")
        fork, other = await on.app.fork(first.run), await on.app.fork(first.run)
        rows = runs(await elsewhere.journal.read(kinds=RUN_KINDS), elsewhere.journal.alive, 0.0)
        assert [row.status for row in rows] == ["answered", "interrupted", "interrupted"]
        await on.app.cancel(fork.run)
        view = RunView.of(await on.app.journal.read(run=fork.run))
        assert (view.status, view.cancel_request) == ("cancelled", None)
        assert (await elsewhere.resume(other.run)).text == "Elsewhere."


async def test_a_forged_past_is_no_past(tmp_path: Path) -> None:
    """A journal of a stranger may name itself, a later entry or nothing as the origin of a fork."""
    async with await Journal.open(tmp_path, tuning=Tuning()) as journal:
        run, thread = new_id(), new_id()
        journal.append(run, thread, Forked(thread, 1, run, 1))
        journal.append(run, thread, Forked(thread, 99, run, 1))
        await journal.durable()
        assert len(await journal.read(run=run)) == 2
        other = new_id()
        journal.append(other, other, Forked("nowhere", 1, "nothing", 1))
        assert len(await journal.read(run=other)) == 1
        assert len(await journal.read(thread=other)) == 1


@pytest.mark.parametrize("circle", [1, 2, 3])
async def test_forged_forks_in_a_circle_end(tmp_path: Path, circle: int) -> None:
    async with await Journal.open(tmp_path) as journal:
        forks = [(new_id(), new_id()) for _ in range(circle)]
        for _ in range(9):
            journal.append(new_id(), new_id(), Warned("before"))
        for number, (run, thread) in enumerate(forks):
            origin, origin_thread = forks[(number + 1) % circle]
            journal.append(run, thread, Forked(origin_thread, 9 - number, origin, 1))
        await journal.durable()
        for run, thread in forks:
            assert [entry.seq > 9 for entry in await journal.read(run=run)] == [True]
            assert [entry.seq > 9 for entry in await journal.read(thread=thread)] == [True]
            assert len(await journal.glance(run, ("forked",), "turn")) == 1


async def test_a_chain_of_forks_may_have_any_length(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        run, thread = new_id(), new_id()
        journal.append(run, thread, Warned("first"))
        for until in range(1, 1001):
            origin, origin_thread, run, thread = run, thread, new_id(), new_id()
            journal.append(run, thread, Forked(origin_thread, until, origin, 1))
        assert [entry.seq for entry in await journal.read(run=run)] == list(range(1, 1002))
        seen = await journal.read(thread=thread)
        assert {(entry.run, entry.thread) for entry in seen} == {(run, thread)}
        assert [entry.seq for entry in seen] == list(range(1, 1002))
        assert [entry.seq for entry in await journal.read(run=run, after=990, limit=5)] == list(range(991, 996))
        assert len(await journal.glance(run, ("forked",), "turn")) == 1000


async def test_a_limit_counts_only_what_the_fork_shows(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        talk, fork = new_id(), new_id()
        journal.append("", talk, ThreadNamed("talk"))
        for _ in range(5):
            journal.append(new_id(), talk, Warned("x"))
        journal.append("", fork, Forked(talk, 6))
        assert [entry.seq for entry in await journal.read(thread=fork)] == [2, 3, 4, 5, 6, 7]
        assert [entry.seq for entry in await journal.read(thread=fork, limit=4)] == [2, 3, 4, 5]
        assert [entry.seq for entry in await journal.read(thread=fork, after=4, limit=9)] == [5, 6, 7]


async def test_a_deleted_fork_has_no_past_also_when_another_process_deletes_it(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal, await Journal.open(tmp_path) as elsewhere:
        run, thread = new_id(), new_id()
        journal.append(run, thread, Warned("x"))
        for deleting in (journal, elsewhere):
            fork = new_id()
            journal.append(fork, fork, Forked(thread, 1, run, 1))
            assert len(await journal.read(run=fork)) == len(await journal.read(thread=fork)) == 2
            await deleting.delete(run=fork)
            assert await journal.read(run=fork) == await journal.read(thread=fork) == []


async def test_the_command_forks_and_prints_the_new_answer(tmp_path: Path) -> None:
    roles = {"arbiter": [consult("coding"), "First.", "Second."], "coding": ["Use a lock."]}
    async with shell(tmp_path, roles, state=tmp_path / "unused") as home:
        first = (await home.mmos("run", "--json", "Do it.")).document["run"]
        forked = await home.mmos("runs", "fork", first, "--at", "2")
        assert (forked.code, forked.out) == (0, "Second.\n")
        assert f"takes turn 2 of {first} again" in forked.err
        listed = (await home.mmos("runs", "list", "--json")).document["runs"]
        assert [row["status"] for row in listed] == ["answered", "answered"]
        shown = await home.mmos("runs", "show", listed[1]["run"])
        assert f"forked from {first}: turn 2 again" in shown.out
        wrong = await home.mmos("runs", "fork", first, "--at", "7")
        assert (wrong.code, "has no turn 7" in wrong.err) == (2, True)
        odd = await home.mmos("runs", "fork", first, "--at", "second")
        assert (odd.code, "is no turn" in odd.err) == (2, True)


async def test_what_was_forked_is_deleted_with_its_origin(tmp_path: Path) -> None:
    roles = {"arbiter": ["First.", "Again.", "And again.", "Other."]}
    async with shell(tmp_path, roles, state=tmp_path / "unused") as home:
        first = (await home.mmos("run", "--json", "Do it.")).document["run"]
        second = (await home.mmos("runs", "fork", first, "--json")).document["run"]
        third = (await home.mmos("runs", "fork", second, "--json")).document["run"]
        other = (await home.mmos("run", "--json", "Do something else.")).document["run"]
        would = (await home.mmos("runs", "delete", first, "--dry-run", "--json")).document
        assert would["would_delete"] == [first, second, third]
        assert (await home.mmos("runs", "delete", third, "--yes", "--json")).document["deleted"] == [third]
        assert (await home.mmos("runs", "delete", first, "--yes")).err.startswith("Deleted 2 runs, 1 of them a fork (")
        left = (await home.mmos("runs", "list", "--json")).document["runs"]
        assert [row["run"] for row in left] == [other]


async def test_a_conversation_is_forked_after_a_task(tmp_path: Path) -> None:
    roles = {"arbiter": ["One.", "Two.", "Two after all.", "Three."]}
    async with shell(tmp_path, roles, state=tmp_path / "unused") as home:
        for task in ("First?", "Second?"):
            assert (await home.mmos("run", "--thread", "talk", task)).code == 0
        forked = await home.mmos("threads", "fork", "talk", "--at", "1", "--name", "other", "--json")
        assert (forked.code, forked.document["name"]) == (0, "other")
        assert (await home.mmos("run", "--thread", "other", "Second again?")).out == "Two after all.\n"
        said = [message["content"] for message in home.on.sent("arbiter")[-1]["messages"] if message["role"] != "system"]
        assert said == ["First?", "One.", "Second again?"]
        assert (await home.mmos("run", "--thread", "talk", "Third?")).out == "Three.\n"
        said = [message["content"] for message in home.on.sent("arbiter")[-1]["messages"] if message["role"] != "system"]
        assert said == ["First?", "One.", "Second?", "Two.", "Third?"]
        shown = (await home.mmos("threads", "show", "other")).out
        assert ("First?" in shown, "Second again?" in shown, "Second?" in shown.replace("Second again?", "")) == (True, True, False)
        wrong = await home.mmos("threads", "fork", "talk", "--at", "9")
        assert (wrong.code, "there is no task 9" in wrong.err) == (2, True)
        taken = await home.mmos("threads", "fork", "talk", "--name", "other")
        assert (taken.code, "already a conversation" in taken.err) == (2, True)
        runs = {row["task"]: row["run"] for row in (await home.mmos("runs", "list", "--json")).document["runs"]}
        assert "remember" not in (await home.mmos("runs", "delete", runs["Second?"], "--yes")).err
        assert "1 forked conversation no longer remembers it." in (await home.mmos("runs", "delete", runs["First?"], "--yes")).err
        assert "First?" not in (await home.mmos("threads", "show", "other")).out
        gone = (await home.mmos("threads", "delete", "talk", "--yes", "--json")).document
        assert len(gone["deleted"]) == 2


async def test_a_wrong_role_is_an_error_before_there_is_a_fork(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["First.", "Second."]}, state=tmp_path / "unused") as home:
        first = (await home.mmos("run", "--json", "Do it.")).document["run"]
        wrong = await home.mmos("runs", "fork", first, "--role", "nobody=x")
        assert (wrong.code, "no role 'nobody'" in wrong.err) == (2, True)
        assert len((await home.mmos("runs", "list", "--json")).document["runs"]) == 1
        forked = (await home.mmos("runs", "fork", first, "--json")).document
        assert forked["origin"] == {"run": first, "turn": 1}
        listed = (await home.mmos("runs", "list", "--json")).document["runs"]
        assert [row["origin"] for row in listed] == [None, first]
        assert "answered, forked" in (await home.mmos("runs", "list")).out


async def test_a_fork_says_which_effects_it_may_repeat(tmp_path: Path) -> None:
    (tmp_path / "bank.py").write_text("def deposit(number: int) -> str:\n    return str(number)\n")
    roles = {"arbiter": [Call("deposit", {"number": 1}), "First.", Call("deposit", {"number": 1}), "Again.", "Second."]}
    async with shell(tmp_path, roles, state=tmp_path / "unused") as home:
        config = yaml.safe_load((tmp_path / "orchestration.yaml").read_text())
        config["orchestration"]["tools"] = ["bank:deposit"]
        (tmp_path / "bank.yaml").write_text(yaml.safe_dump(config))
        first = (await home.mmos("run", "--json", "Do it.", "-c", "bank.yaml")).document["run"]
        from_start = await home.mmos("runs", "fork", first, "--at", "1")
        assert (from_start.code, "made 1 call with effects from there on" in from_start.err) == (0, True), from_start.err
        from_end = await home.mmos("runs", "fork", first, "--at", "2")
        assert (from_end.code, "with effects" in from_end.err) == (0, False)

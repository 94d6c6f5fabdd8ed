"""Stories of tasks that are larger than a window: they are read in parts, and nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mmos.app import RunOptions, Watch
from mmos.app.batch import Task
from mmos.chunk_events import PartFailed, TaskCondensed, TaskDivided
from mmos.cli.activity import Activity
from mmos.events import LaneOpened, ModelAsked
from mmos.messages import File, Message
from mmos.prompting.budget import estimate
from mmos.rehearsal.prompt import Prompt
from mmos.testing import Fail, Model, consult, facts, stage, until
from tests.long_texts import finder, planted
from tests.shell import shell, start

SMALL = {"arbiter": {"context_window": 8192}}


def reader(name: str = "arbiter") -> Model:
    return Model.scripted(name, [finder], repeat=True)


async def test_every_planted_fact_of_a_long_text_is_found_on_a_small_window() -> None:
    text, hidden = planted(140, 12)
    assert len(text) > 270_000
    async with stage({"arbiter": reader()}, orchestration=SMALL) as on:
        pieces: list[str] = []
        answer = await on.app.run(text + "What are the codes?", on_token=pieces.append)
        assert (answer.status, answer.view.warnings) == ("answered", [])
        assert answer.text is not None
        assert answer.text.splitlines() == hidden
        assert "".join(pieces) == answer.text, "the answer streams as ever"
        [divided] = answer.document()["divided"]
        assert (divided["way"], divided["failed"], divided["window"]) == ("mapped", [], 8192)
        assert len(on.sent("arbiter")) == divided["parts"] + 1
        assert max(estimate(told) for told in on.heard("arbiter")) < 8192 * 0.8
        assert all(body["options"]["num_ctx"] == 8192 for body in on.sent("arbiter")), "no reload"
        assert answer.view.prompt_tokens < 1.25 * estimate(text), "tokens that are read beside the text"


async def test_the_next_task_of_the_thread_goes_on_from_the_notes() -> None:
    text, hidden = planted(60, 3)
    async with stage({"arbiter": reader()}, orchestration=SMALL) as on:
        await on.app.run("Find the codes.", files=[File("book.md", text)], thread="t")
        answer = await on.app.run("And again?", thread="t")
        assert answer.status == "answered"
        told = on.sent("arbiter")[-1]["messages"]
        assert [message["role"] for message in told] == ["system", "user", "assistant", "user"]
        assert "book.md" in told[1]["content"]
        assert all(fact in told[1]["content"] for fact in hidden)


def upper(prompt: Prompt) -> str:
    """The part in capitals."""
    _, _, rest = prompt.user_text.partition(" of the text:\n<<<\n")
    return rest.partition("\n>>>")[0].upper() or "Done."


async def test_a_text_to_be_written_anew_is_joined_from_its_parts_in_their_order() -> None:
    text = "\n\n".join(f"# Page {page}\n\n" + f"Line {page} of a tale that goes on. " * 30 for page in range(30))
    async with stage({"arbiter": Model.scripted("arbiter", [upper], repeat=True)}, orchestration=SMALL) as on:
        pieces: list[str] = []
        answer = await on.app.run("Translate this into capitals.", files=[File("tale.md", text)], on_token=pieces.append)
        assert answer.text is not None
        assert answer.text.split() == text.upper().split()
        assert "".join(pieces) == answer.text
        assert len(pieces) > 2, "the user sees each part as soon as it is there"
        assert answer.document()["divided"][0]["way"] == "rewritten"
        second = on.heard("arbiter")[1]
        assert "What you wrote for the part before ends so:" in second


async def test_a_story_to_be_continued_is_followed_to_its_end() -> None:
    def follow(prompt: Prompt) -> str:
        return (
            f"Notes up to {prompt.user_text.partition('Here is ')[2][:6]}"
            if "Write your notes anew" in prompt.user_text
            else "And then it ended."
        )

    text, _ = planted(40, 2)
    async with stage({"arbiter": Model.scripted("arbiter", [follow], repeat=True)}, orchestration=SMALL) as on:
        answer = await on.app.run("Continue this story.", files=[File("story.md", text)])
        assert (answer.status, answer.text) == ("answered", "And then it ended.")
        last = on.heard("arbiter")[-1]
        assert "Notes up to part " in last
        assert text.rstrip()[-500:] in last, "the end of the story is there word for word"


async def test_notes_that_do_not_fit_together_are_put_together_in_levels() -> None:
    def long_winded(prompt: Prompt) -> str:
        said = finder(prompt)
        if "Put them together" in prompt.user_text or "Answer the request" in prompt.user_text:
            return said
        return f"{said}\n" + "It says much more that may matter for it. " * 60

    text, hidden = planted(60, 9)
    async with stage(
        {"arbiter": Model.scripted("arbiter", [long_winded], repeat=True)}, orchestration={"arbiter": {"context_window": 4096}}
    ) as on:
        answer = await on.app.run("What are the codes?", files=[File("book.md", text)])
        assert answer.status == "answered"
        assert answer.text is not None
        assert answer.text.splitlines() == hidden
        opened = [event.lane for event in await facts(on.app, answer.run, LaneOpened)]
        assert any("/division/notes-1-" in lane for lane in opened)


async def test_long_notes_are_cut_off_with_one_warning_and_each_cut_piece_of_an_answer_is_named() -> None:
    text, _ = planted(30, 1)
    endless = Model.scripted("arbiter", [lambda _: "It goes on and on and never comes to an end of it all. " * 400], repeat=True)
    async with stage({"arbiter": endless}, orchestration={"arbiter": {"context_window": 4096}}) as on:
        options = RunOptions(sampling={"num_predict": 200})
        noted = await on.app.run("What are the codes?", files=[File("book.md", text)], options=options)
        cut = [warning for warning in noted.view.warnings if "cut off" in warning]
        assert [warning.partition(" were")[0] for warning in cut[:-1]] == ["arbiter: notes on parts of its task"]
        assert cut[-1].startswith("arbiter: its answer was cut off")
        anew = await on.app.run("Rewrite the book.", files=[File("book.md", text)], options=options)
        parts = anew.document()["divided"][0]["parts"]
        assert sum("what it wrote for part" in warning for warning in anew.view.warnings) == parts


# ---------------------------------------------------------------- what goes wrong


async def test_a_part_that_fails_is_named_and_the_others_are_read() -> None:
    text, hidden = planted(60, 6)
    lost = hidden[2]

    def sometimes(prompt: Prompt) -> str | Fail:
        return Fail("the model cannot read this") if lost in prompt.user_text else finder(prompt)

    async with stage({"arbiter": Model.scripted("arbiter", [sometimes], repeat=True)}, orchestration=SMALL) as on:
        answer = await on.app.run("What are the codes?", files=[File("book.md", text)])
        assert answer.status == "answered"
        assert answer.text is not None
        assert answer.text.splitlines() == [fact for fact in hidden if fact != lost]
        [failed] = await facts(on.app, answer.run, PartFailed)
        assert [one["part"] for one in answer.document()["divided"][0]["failed"]] == [failed.number]
        assert any(f"part {failed.number} of {failed.of}" in warning and "could not be read" in warning for warning in answer.view.warnings)
        assert f"say that they are missing: {failed.number}." in on.heard("arbiter")[-1]


async def test_when_no_part_can_be_read_the_run_fails_and_says_why() -> None:
    text, _ = planted(60, 1)
    async with stage({"arbiter": Model.scripted("arbiter", [Fail("out of order")], repeat=True)}, orchestration=SMALL) as on:
        answer = await on.app.run("What are the codes?", files=[File("book.md", text)])
        assert answer.status == "failed"
        assert answer.reason is not None
        assert "out of order" in answer.reason.message


@pytest.mark.parametrize(("key", "code"), [("total_turns", "limit_total_turns"), ("tokens", "limit_tokens")])
async def test_limits_that_do_not_allow_all_parts_are_told_before_anything_is_asked(key: str, code: str) -> None:
    text, _ = planted(60, 1)
    limits = {"total_turns": 4} if key == "total_turns" else {"tokens": 9_000}
    async with stage({"arbiter": reader()}, orchestration={**SMALL, "limits": limits}) as on:
        answer = await on.app.run("What are the codes?", files=[File("book.md", text)])
        assert answer.status == "failed"
        assert answer.reason is not None
        assert answer.reason.code == code
        assert "reads it in" in answer.reason.message
        assert f"limits.{key}" in answer.reason.next
        assert on.sent("arbiter") == []
        if key == "total_turns":
            total = int(answer.reason.next.split("--max-turns ")[1].split(",")[0])
            again = await on.app.run("What are the codes?", files=[File("book.md", text)], options=RunOptions(max_turns=total))
            assert again.status == "answered"


async def test_a_task_whose_request_alone_fills_the_window_is_refused() -> None:
    async with stage({"arbiter": reader()}, orchestration={"arbiter": {"context_window": 1024}}) as on:
        answer = await on.app.run("word " * 5000, options=RunOptions(system="rule " * 3000))
        assert answer.reason is not None
        assert (answer.status, answer.reason.code) == ("failed", "window_exceeded")
        assert on.sent("arbiter") == []


async def test_a_host_that_counts_more_tokens_than_estimated_gets_smaller_parts() -> None:
    text = "".join(f"Row {row}: " + "q" * 60 + "\n" for row in range(900)) + "The code of river is 4711.\n"
    async with stage({"arbiter": reader()}, orchestration={"arbiter": {"context_window": 2048}}) as on:
        answer = await on.app.run("What is the code?", files=[File("rows.txt", text)])
        assert (answer.status, answer.text) == ("answered", "The code of river is 4711.")


# ---------------------------------------------------------------- who answers


async def test_a_specialist_with_a_smaller_window_reads_the_whole_task_in_parts() -> None:
    text, hidden = planted(20, 3)
    arbiter = [consult("coding", "What are the codes?"), "It has said so."]
    sizes = {"arbiter": {"context_window": 65536}, "specialists": {"coding": {"context_window": 4096}}}
    async with stage({"arbiter": arbiter, "coding": reader("coding")}, orchestration=sizes) as on:
        answer = await on.app.run("Find the codes.", files=[File("book.md", text)])
        assert answer.status == "answered"
        [divided] = answer.document()["divided"]
        assert divided["role"] == "coding"
        told = on.sent("arbiter")[-1]["messages"][-1]["content"]
        assert all(fact in told for fact in hidden)


async def test_a_specialist_is_told_the_notes_and_not_the_text_that_the_arbiter_could_not_hold() -> None:
    text, hidden = planted(60, 3)

    def arbiter(prompt: Prompt) -> object:
        if "Answer the request" not in prompt.user_text:
            return finder(prompt)
        return "Done." if prompt.results else consult("coding", "Are they right?")

    roles = {"arbiter": Model.scripted("arbiter", [arbiter], repeat=True), "coding": reader("coding")}
    async with stage(roles, orchestration={**SMALL, "specialists": {"coding": {"context_window": 8192}}}) as on:
        answer = await on.app.run("Find the codes.", files=[File("book.md", text)])
        assert (answer.status, answer.text) == ("answered", "Done.")
        [brief] = on.heard("coding")
        assert all(fact in brief for fact in hidden)
        assert len(brief) < 6_000


async def test_a_schema_holds_for_the_answer_and_a_model_alone_reads_in_parts_too() -> None:
    def counts(prompt: Prompt) -> str:
        return f'{{"codes": {len(finder(prompt).splitlines())}}}' if "Answer the request" in prompt.user_text else finder(prompt)

    text, _ = planted(60, 5)
    schema = {"type": "object", "properties": {"codes": {"type": "integer"}}, "required": ["codes"]}
    async with stage({"arbiter": Model.scripted("arbiter", [counts], repeat=True)}, orchestration=SMALL) as on:
        options = RunOptions(schema=schema, model="arbiter")
        answer = await on.app.run("Rewrite the codes as a count.", files=[File("book.md", text)], options=options)
        assert (answer.status, answer.data) == ("answered", {"codes": 5})
        assert answer.document()["divided"][0]["way"] == "mapped"


async def test_one_role_alone_and_each_task_of_a_batch_read_in_parts() -> None:
    text, hidden = planted(20, 2)
    sizes = {"specialists": {"coding": {"context_window": 4096}}}
    async with stage({"arbiter": ["No."], "coding": reader("coding")}, orchestration=sizes) as on:
        options = RunOptions(role_only="coding")
        answer = await on.app.run(f"{text}\n\nWhat are the codes?", options=options)
        assert answer.text is not None
        assert answer.text.splitlines() == hidden
        tasks = [Task("What are the codes?", files=[File("book.md", text)], options=options) for _ in range(2)]
        assert [each.text async for _, each in on.app.batch(tasks)] == [answer.text] * 2


# ---------------------------------------------------------------- cut off


async def test_a_run_that_is_cancelled_between_two_parts_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    text, hidden = planted(60, 6)
    async with stage({"arbiter": reader()}, state=tmp_path, orchestration=SMALL, parallel=2) as on:
        runs: list[str] = []
        hang = on.host.faults.add("hang", after=4)
        task = asyncio.create_task(on.app.run("What are the codes?", files=[File("book.md", text)], watch=Watch(on_start=runs.append)))
        while len(on.sent("arbiter")) < 5:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        on.host.faults.remove(hang)
        asked = {event.lane for event in await facts(on.app, runs[0], ModelAsked)}
        answer = await on.app.resume(runs[0])
        assert answer.status == "answered"
        assert answer.text is not None
        assert answer.text.splitlines() == hidden
        assert len(asked) >= 5
        assert len(await facts(on.app, runs[0], TaskDivided)) == len(await facts(on.app, runs[0], TaskCondensed)) == 1
        told = [event.lane for event in await facts(on.app, runs[0], LaneOpened)]
        assert len(told) == len(set(told))
        answered = [event.lane for event in await facts(on.app, runs[0], ModelAsked)]
        assert len(answered) - len(set(answered)) <= 3, "only parts whose request was cut off are asked again"


async def test_a_run_that_is_killed_between_two_parts_goes_on_where_it_was(tmp_path: Path) -> None:
    text, hidden = planted(60, 6)
    (tmp_path / "book.md").write_text(text)
    async with shell(tmp_path, {"arbiter": reader()}, orchestration={**SMALL, "servers": {"here": {"parallel": 2}}}) as at:
        hang = at.on.host.faults.add("hang", after=6)
        process = await start(tmp_path, "run", "What are the codes?", "-f", "book.md", cold=True)
        await until(lambda: len(at.on.sent("arbiter")) > 6)
        process.kill()
        await process.wait()
        at.on.host.faults.remove(hang)
        run = (await at.mmos("runs", "list", "--json")).document["runs"][0]["run"]
        ended = await at.mmos("runs", "resume", run)
        assert (ended.code, ended.out.splitlines()) == (0, hidden)
        parts = [told.split(" of the text:")[0] for told in at.on.heard("arbiter")]
        assert len(parts) - len(set(parts)) <= 3, "only the parts that were on their way are asked again"


async def test_chat_says_which_part_is_read(tmp_path: Path) -> None:
    text, hidden = planted(30, 2)
    (tmp_path / "book.md").write_text(text)
    async with shell(tmp_path, {"arbiter": reader()}, orchestration=SMALL) as at:
        ended = await at.mmos("chat", given=b"/attach book.md\nWhat are the codes?\n/why\n")
        assert all(fact in ended.out for fact in hidden)
        assert "arbiter read its task in 4 parts" in ended.out
        assert "arbiter: part 2 of 4 of its task" in ended.out


def test_who_watches_sees_which_part_is_read() -> None:
    live = Activity()
    live.on_event(LaneOpened("arbiter", "arbiter", Message("user", "long")), 0.0)
    live.on_event(ModelAsked("a", "arbiter/division/part-3-of-12", "arbiter", "m"), 1.0)
    assert "reading part 3 of 12" in live.status(1.0, 80)
    live.on_event(ModelAsked("b", "arbiter/division/notes-1-2-of-4", "arbiter", "m"), 2.0)
    assert "reading notes 2 of 4" in live.status(2.0, 80)
    live.on_event(TaskCondensed("arbiter", Message("user", "short"), "arbiter"), 3.0)
    assert "reading" not in live.status(3.0, 80).partition("queued")[2]

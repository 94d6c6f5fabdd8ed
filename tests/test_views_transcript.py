"""The tasks and answers of a thread as the user saw them, and what it means to take one back."""

from __future__ import annotations

from mmos.app import open_app
from mmos.app.lifecycle import Watch
from mmos.events import Entry, Event, LaneClosed, LaneOpened, ModelReplied, RunFinished, RunResumed, RunStarted, RunWithdrawn
from mmos.messages import Message
from mmos.scope import Hint
from mmos.testing import Call, stage
from mmos.views.conversation import Conversation
from mmos.views.transcript import transcript


def entries(*told: tuple[str, Event]) -> list[Entry]:
    return [Entry(run, "t", float(number), event, number + 1) for number, (run, event) in enumerate(told)]


def said(run: str, lane: str, role: str, text: str, parent: str = "") -> list[tuple[str, Event]]:
    return [
        (run, LaneOpened(lane, role, Message("user", f"{text}?"), parent, f"call of {lane}", int(bool(parent)))),
        (run, ModelReplied("a", lane, role, "m", "h", Message("assistant", text))),
        (run, LaneClosed(lane, role, "answered")),
    ]


def test_a_run_is_a_task_with_its_last_status() -> None:
    rows = transcript(
        entries(
            ("a", RunStarted("First?", "p")),
            ("a", RunFinished("waiting")),
            ("a", RunResumed("p")),
            ("a", RunFinished("answered", "One.")),
            ("b", RunStarted("Second?", "p")),
            ("b", RunFinished("cancelled", "Tw")),
            ("b", RunWithdrawn()),
            ("c", RunStarted("Third?", "p")),
            ("gone", RunFinished("answered", "Its start was deleted.")),
        )
    )
    assert [(one.task, one.status, one.answer, one.withdrawn) for one in rows] == [
        ("First?", "answered", "One.", False),
        ("Second?", "cancelled", "Tw", True),
        ("Third?", "unfinished", None, False),
    ]


def test_a_withdrawn_run_leaves_the_histories_as_if_it_had_never_been() -> None:
    first = [*said("a", "a:1", "coding", "inner", "a"), *said("a", "a", "arbiter", "one")]
    second = [
        ("b", LaneOpened("b", "arbiter", Message("user", "two?"))),
        *said("b", "b:1", "coding", "left", "b"),
        *said("b", "b:2", "coding", "right", "b"),
        ("b", LaneClosed("b", "arbiter", "cancelled", "tw")),
    ]
    before, after = Conversation(entries(*first)), Conversation(entries(*first, *second, ("b", RunWithdrawn())))
    for role in ("arbiter", "coding"):
        assert after.histories["thread", role].messages == before.histories["thread", role].messages
        assert after.histories["thread", role].starts == before.histories["thread", role].starts


def test_what_another_run_has_built_on_stays() -> None:
    both = [*said("a", "a", "arbiter", "one"), *said("b", "b", "arbiter", "two")]
    kept = Conversation(entries(*both))
    assert (
        Conversation(entries(*both, ("a", RunWithdrawn()))).histories["thread", "arbiter"].messages
        == kept.histories["thread", "arbiter"].messages
    )


async def test_an_app_asks_anew_without_what_was_withdrawn_also_one_that_had_the_thread_in_mind(tmp_path) -> None:
    async with stage({"arbiter": ["One.", "Two.", "Three.", "Four."]}, state=tmp_path) as on:
        await on.app.run("First?", thread="t")
        async with open_app(on.config, state=tmp_path) as other:
            await other.run("Second?", thread="t")
            answer = await on.app.run("Third?", thread="t")
            await on.app.withdraw(answer.run)
            await other.run("Fourth?", thread="t")
        assert [message["content"] for message in on.sent("arbiter")[3]["messages"]][1:] == ["First?", "One.", "Second?", "Two.", "Fourth?"]


async def test_a_watcher_hears_where_each_call_goes_and_whether_its_model_is_loaded_first() -> None:
    heard: list[Hint] = []
    call = Call("consult_coding_specialist", {"query": "How so?"})
    async with stage({"arbiter": [call, "So."], "coding": ["Thus."]}) as on:
        await on.app.run("Why?", watch=Watch(on_hint=heard.append))
    stages = [(hint.role, hint.kind, hint.text) for hint in heard if hint.kind != "token"]
    assert stages == [
        ("arbiter", "turn", ""), ("arbiter", "loading", "here"),
        ("coding", "turn", ""), ("coding", "loading", "here"),
        ("arbiter", "turn", ""), ("arbiter", "reading", "here"),
    ]  # fmt: skip

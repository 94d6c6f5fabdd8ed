"""A journal of the first version that people may have. It opens, lists, shows and resumes for ever."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from mmos.encoding import KINDS
from mmos.testing import stage
from tests.golden_journal import count, fields, halt, panel, roles, seen

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


NAMES = golden("names")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    copyfile(GOLDEN / "journal.db", tmp_path / "journal.db")
    return tmp_path


def of_then(now: Any, then: Any) -> Any:
    """What the document has today under the keys of then."""
    return {key: of_then(now[key], value) for key, value in then.items()} if isinstance(then, dict) else now


async def test_every_run_is_listed_and_shown_as_on_the_first_day(state: Path) -> None:
    """New keys of the document are allowed. Words of the lines may change: then review them, and write `seen.json` again."""
    for run, then in golden("seen").items():
        now = (await seen(state))[run]
        assert now["status"] == then["status"]
        assert of_then(now["document"], then["document"]) == then["document"]
        assert now["lines"] == then["lines"]


async def test_every_request_can_be_made_again_byte_for_byte(state: Path) -> None:
    then, now = golden("seen"), await seen(state)
    assert {run: one["requests"] for run, one in now.items()} == {run: one["requests"] for run, one in then.items()}
    assert sum(len(one["requests"]) for one in then.values()) > 20


async def test_every_run_can_be_replayed(state: Path) -> None:
    """Prompts of today may differ from those of the first day. What that version did not keep is named."""
    requests = {run: len(one["requests"]) for run, one in golden("seen").items()}
    async with stage(roles(), state=state, tools=[count, halt, panel]) as on:
        replays = {run: await on.app.replay(run) for run in NAMES.values()}
    assert {run: replay.requests for run, replay in replays.items()} == requests
    (unread,) = replays[NAMES["repaired"]].unknown
    assert (unread.place, unread.unknown) == ("turn 1 of arbiter (a1)", "the version that wrote it did not keep what the host sent")


async def test_a_waiting_run_takes_its_answer_and_ends(state: Path) -> None:
    async with stage(roles("Green it is."), state=state, tools=[count]) as on:
        await on.app.answer(NAMES["waiting"], "green")
        answer = await on.app.resume(NAMES["waiting"])
        assert (answer.status, answer.text) == ("answered", "Green it is.")
        messages = on.sent("arbiter")[0]["messages"]
        assert [message["content"] for message in messages if message["role"] == "tool"] == ["counted to 1", "green"]
        assert len(on.sent("arbiter")) == 1  # nothing is asked or counted again


async def test_a_crashed_run_goes_on_where_it_was(state: Path) -> None:
    async with stage(roles("Seven."), state=state, tools=[count, halt]) as on:
        answer = await on.app.resume(NAMES["crashed"])
        assert (answer.status, answer.text) == ("answered", "Seven.")
        assert answer.document()["tools"][0] == {"name": "count", "calls": 1, "failed": 0}


async def test_its_conversation_goes_on(state: Path) -> None:
    async with stage(roles("Still blue."), state=state) as on:
        thread = (await on.app.journal.read(run=NAMES["answered"], limit=1))[0].thread
        assert (await on.app.run("And now?", thread=thread)).text == "Still blue."
        users = [message["content"] for message in on.sent("arbiter")[0]["messages"] if message["role"] == "user"]
        assert users[0].startswith("Paint the door — grün, 日本語, 🚪.")
        assert users[1:] == ["And the wall?", "And now?"]  # the withdrawn task is not there


def test_a_field_is_never_renamed_or_removed_and_a_new_one_has_a_default() -> None:
    then, now = golden("events"), fields()
    for kind, known in then.items():
        assert now[kind][: len(known)] == known, f"{kind}: only add fields, at the end"
        for field in dataclasses.fields(KINDS[kind])[len(known) :]:
            has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            assert has_default, f"{kind}.{field.name}: an entry of an older version does not have it"

"""What is written into a journal comes back as it was, whichever version wrote it."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.checking import MOST
from mmos.encoding import KINDS, decode, encode
from mmos.errors import StateDamaged
from mmos.events import CallFinished, Event, LaneClosed, LaneOpened, Unknown, Warned
from mmos.journal import Journal, shapes
from mmos.messages import Message

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
PLAIN: dict[typing.Any, st.SearchStrategy[typing.Any]] = {
    str: st.text(),
    int: st.integers(0, MOST),
    float: st.floats(0, MOST),
    bool: st.booleans(),
    type(None): st.none(),
    typing.Any: JSON,
}


def some(kind: typing.Any) -> st.SearchStrategy[typing.Any]:
    """Values of a type as the dataclasses of events and messages spell it."""
    if kind in PLAIN:
        return PLAIN[kind]
    if dataclasses.is_dataclass(kind):
        return instances(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([some(argument) for argument in arguments])
    if origin is tuple:
        return st.lists(some(arguments[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(st.text(), some(arguments[1]), max_size=3)
    raise NotImplementedError(f"no strategy for {kind}")


def instances(cls: type[typing.Any]) -> st.SearchStrategy[typing.Any]:
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{spec.name: some(hints[spec.name]) for spec in dataclasses.fields(cls) if spec.init})


EVENTS = st.one_of([instances(cls) for cls in KINDS.values()])
UNKNOWN = st.builds(Unknown, st.sampled_from(["moon_risen", "fish_fed"]), st.dictionaries(st.text(), JSON, max_size=3))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_comes_back(kind):
    @given(instances(KINDS[kind]))
    def comes_back(event: Event) -> None:
        assert decode(kind, encode(event)) == event

    comes_back()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_comes_back_from_a_list_of_values(kind):
    @given(instances(KINDS[kind]))
    def comes_back(event: Event) -> None:
        shape, data = shapes.encode(event)
        assert (shape.kind, data[:1]) == (kind, b"[")
        assert shapes.decode(kind, shape.fields, data) == event

    comes_back()


@given(EVENTS.filter(dataclasses.fields), st.randoms(use_true_random=False))
def test_a_shape_says_what_the_values_of_another_version_mean(event, chance):
    shape, data = shapes.encode(event)
    fields, values = orjson.loads(shape.fields), orjson.loads(data)
    values += [field[1] for field in fields[len(values) :]]
    there = [(field if isinstance(field, str) else field[0], value) for field, value in zip(fields, values, strict=True)]
    there.append(("later", {"of": "a newer version"}))
    chance.shuffle(there)
    names, mixed = zip(*there, strict=True)
    usual = [[names[-1], mixed[-1]]]  # not the one of this version
    assert shapes.decode(event.kind, orjson.dumps([*names[:-1], *usual]).decode(), orjson.dumps(mixed[:-1])) == event


def test_the_usual_values_at_the_end_are_left_out():
    assert shapes.encode(LaneClosed("lane", "role", "answered"))[1] == b'["lane","role"]'
    assert shapes.encode(LaneClosed("lane", "role", "partial", "Hi.", "[cut]"))[1] == b'["lane","role","partial","Hi.","[cut]"]'
    opened = LaneOpened("lane/call/key", "role", Message("user", "Hi."), "lane", "call", key="key")
    assert shapes.encode(opened)[1] == b'["lane/call/key","role","Hi."]'
    finished = CallFinished("call", "lane", "role", "tool", ok=True, message=Message("tool", "Hi.", tool_name="tool", call_id="call"))
    assert shapes.encode(finished)[1] == b'["call","lane","role","tool",true,"Hi."]'


@given(EVENTS, st.dictionaries(st.text().map("later_{}".format), JSON, max_size=2))
def test_fields_of_a_newer_version_do_no_harm(event, more):
    assert decode(event.kind, orjson.dumps(orjson.loads(encode(event)) | more)) == event


@given(UNKNOWN)
def test_kinds_of_a_newer_version_survive(event):
    assert decode(event.name, encode(event)) == event


@given(st.lists(EVENTS | UNKNOWN, max_size=10))
async def test_a_journal_gives_back_what_it_was_given(events):
    async with await Journal.open(None, clock=lambda: 12.5) as journal:
        for event in events:
            journal.append("run", "thread", event)
        entries = await journal.read(run="run")
    assert [entry.event for entry in entries] == events
    assert [(entry.seq, entry.time) for entry in entries] == [(seq, 12.5) for seq in range(1, len(events) + 1)]


async def test_what_cannot_be_written_down_fails_where_it_came_from():
    async with await Journal.open(None) as journal:
        journal.append("run", "thread", Warned("before"))
        with pytest.raises(TypeError):
            journal.append("run", "thread", Unknown("strange", {"thing": object()}))
        journal.append("run", "thread", Warned("after"))
        assert [entry.event for entry in await journal.read()] == [Warned("before"), Warned("after")]


async def test_an_entry_that_makes_no_sense_is_named():
    async with await Journal.open(None) as journal:
        journal.append("run", "thread", Unknown("warned", {"no": "text"}))
        with pytest.raises(StateDamaged, match="entry 1, a warned"):
            await journal.read()

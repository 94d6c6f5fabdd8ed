"""What a turn may hold: calls, an answer, or whichever of them makes sense next; and texts that end in time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mmos.calls.channels import SchemaChannel, ToolsChannel
from mmos.calls.spec import Spec
from mmos.calls.tool_choice import ANSWER_ONLY, AUTO, ToolChoice, form
from mmos.messages import Message, Reply, ToolCall

QUERY = {"type": "object", "properties": {"query": {"type": "string"}, "context": {"type": "string"}}, "required": ["query"]}
CONSULTING = [Spec(f"consult_{name}_specialist", name, {**QUERY, "additionalProperties": False}) for name in ("a", "b", "c")]
OTHER = Spec("escalate_to_user", "Ask.", {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]})
SPECS = [*CONSULTING, OTHER]
FIRST = ToolChoice(frozenset(spec.name for spec in CONSULTING), least=2)


def fits(schema: bytes, turn: dict[str, Any]) -> bool:
    return Draft202012Validator(json.loads(schema)).is_valid(turn)


def calls(*names: str, query: str = "What?") -> dict[str, Any]:
    return {"calls": [{"tool": f"consult_{name}_specialist", "arguments": {"query": query}} for name in names]}


ANSWERED = {"answer": "So."}
ESCALATED = {"calls": [{"tool": "escalate_to_user", "arguments": {"question": "?"}}]}


def test_left_to_itself_a_turn_calls_or_answers() -> None:
    schema = form(SPECS, AUTO)
    assert all(fits(schema, turn) for turn in (calls("a"), calls("a", "a", "b"), ESCALATED, ANSWERED))
    assert not fits(schema, {"calls": []})


def test_where_calls_are_due_there_is_no_answer_and_no_other_tool() -> None:
    schema = form(SPECS, FIRST)
    assert fits(schema, calls("a", "c"))
    assert fits(schema, calls("a", "b", "c"))
    assert not any(fits(schema, turn) for turn in (ANSWERED, ESCALATED, calls("a"), calls("b", "b"), {"calls": []}))


def test_what_is_left_to_spend_bounds_the_calls() -> None:
    schema = form(SPECS, ToolChoice(FIRST.only, least=2, most=2))
    assert fits(schema, calls("b", "c"))
    assert not fits(schema, calls("a", "b", "c"))


def test_more_specialists_than_can_be_asked_for_is_all_of_them() -> None:
    schema = form(SPECS, ToolChoice(FIRST.only, least=7))
    assert fits(schema, calls("a", "b", "c"))
    assert not fits(schema, calls("a", "b"))


def test_many_specialists_need_no_huge_grammar() -> None:
    many = [Spec(f"consult_{number}_specialist", "", QUERY) for number in range(20)]
    schema = form(many, ToolChoice(frozenset(spec.name for spec in many), least=1), tokens=400)
    assert len(schema) < 20_000
    assert fits(schema, calls("0", "19"))
    assert not fits(schema, ANSWERED)


@pytest.mark.parametrize("schema", [form(SPECS, ANSWER_ONLY), form([], AUTO), form([OTHER], FIRST)])
def test_where_nothing_may_be_called_only_the_answer_remains(schema: bytes) -> None:
    assert fits(schema, ANSWERED)
    assert not any(fits(schema, turn) for turn in (calls("a"), ESCALATED))


def test_with_few_tokens_texts_end_in_time() -> None:
    schema = form(SPECS, FIRST, tokens=160)
    assert fits(schema, calls("a", "b", query="x" * 100))
    assert not fits(schema, calls("a", "b", query="x" * 500))
    assert not fits(schema, calls("a", "b", query='and "then"}'))
    assert not fits(schema, {"calls": [{**call, "arguments": {"query": "?", "context": "?"}} for call in calls("a", "b")["calls"]]})
    assert not fits(form(SPECS, FIRST, tokens=20), calls("a", "b", query="x" * 100))
    assert fits(form(SPECS, ANSWER_ONLY, tokens=160), {"answer": "x" * 480})
    assert not fits(form(SPECS, ANSWER_ONLY, tokens=160), {"answer": "x" * 481})


@pytest.mark.parametrize("tokens", [None, -1, 8192])
def test_with_many_tokens_nothing_is_bounded(tokens: int | None) -> None:
    assert form(SPECS, FIRST, tokens) == form(SPECS, FIRST)
    assert fits(form(SPECS, AUTO, tokens), {"answer": "x" * 50_000})


def test_the_schema_channel_explains_every_tool_with_every_choice() -> None:
    """The system text stays the same, so that the host need not read it anew."""
    assert SchemaChannel(SPECS, choice=FIRST).prompt == SchemaChannel(SPECS, choice=ANSWER_ONLY).prompt == SchemaChannel(SPECS).prompt


def test_the_tools_channel_offers_what_makes_sense_and_minds_an_early_answer() -> None:
    channel = ToolsChannel(SPECS, choice=FIRST)
    assert [tool["function"]["name"] for tool in json.loads(channel.tools)] == [spec.name for spec in CONSULTING]
    assert channel.read(Reply(Message("assistant", "I know!"), "m", "h")).unclear.text == "early_answer"
    assert not channel.read(Reply(Message("assistant", "", (ToolCall("1", "consult_a_specialist", {"query": "?"}),)), "m", "h")).unclear
    assert ToolsChannel(SPECS, choice=ANSWER_ONLY).tools == b""
    assert not ToolsChannel(SPECS, choice=ANSWER_ONLY).read(Reply(Message("assistant", "I know!"), "m", "h")).unclear

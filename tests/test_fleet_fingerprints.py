"""What tells that two prompts begin with the same text."""

from __future__ import annotations

from mmos.fleet.fingerprints import PIECE, blocks
from mmos.hosts.face import ChatRequest
from mmos.messages import Message

LONG = "Answer in short sentences. " * 100


def shared(first: ChatRequest, second: ChatRequest) -> float:
    """The share of the second prompt that begins like the first."""
    known = dict(blocks(first))
    marks = blocks(second)
    return max((tokens for mark, tokens in marks if mark in known), default=0.0) / marks[-1][1]


def ask(*texts: str, role: str = "system", tools: bytes = b"") -> ChatRequest:
    return ChatRequest("m", [Message("system" if number else role, text) for number, text in enumerate(texts)], 4096, tools=tools)  # type: ignore[arg-type]


def test_prompts_share_the_messages_in_which_they_begin_alike() -> None:
    assert 0.9 < shared(ask(LONG, "one"), ask(LONG, "two")) < 1.0
    assert shared(ask(LONG, "one"), ask(LONG, "one")) == 1.0
    assert shared(ask("one", LONG), ask("two", LONG)) == 0.0


def test_prompts_share_the_beginning_of_a_message() -> None:
    wire = len(Message("system", LONG).wire)
    assert 1.0 - 1.5 * PIECE / wire < shared(ask(LONG + "one"), ask(LONG + "two")) < 1.0


def test_other_tools_and_another_role_are_another_beginning() -> None:
    assert shared(ask(LONG, tools=b"[]"), ask(LONG)) == 0.0
    assert shared(ask(LONG, role="user"), ask(LONG)) == 0.0


def test_a_very_long_message_has_few_marks() -> None:
    marks = blocks(ask("word " * 200_000, tools=b" " * 28))
    assert len(marks) < 200
    assert marks[0][1] > 7.0
    assert [tokens for _, tokens in marks] == sorted(tokens for _, tokens in marks)

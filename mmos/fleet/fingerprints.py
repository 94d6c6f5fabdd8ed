"""Computes what tells prompts with the same beginning: a host that has read the one need not read the beginning of the other again."""

from __future__ import annotations

from collections.abc import Sequence

from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.placement.facts import Mark
from mmos.prompting.budget import weigh

BYTES_PER_TOKEN = 4
"""For the tools of a request, whose exact count does not matter for its place."""
PIECE = 512
"""Bytes. A longer message has a mark after each such piece, because texts with the same beginning are often in one message."""
PIECES = 32
"""After so many pieces they are twice as long, and again after half as many."""


def tool_tokens(request: ChatRequest) -> float:
    return len(request.tools) / BYTES_PER_TOKEN


def blocks(request: ChatRequest) -> tuple[Mark, ...]:
    """The beginnings of a prompt. Its tools are read first."""
    running, tokens, made = hash(request.tools), tool_tokens(request), []
    for message in request.messages:
        for piece, weight in message.form("pieces", _pieces):
            running = hash((running, piece))
            tokens += weight
            made.append((running, tokens))
    return tuple(made)


def _pieces(message: Message) -> Sequence[tuple[int, float]]:
    """The pieces of a message with their tokens."""
    wire, made, at = message.wire, [], 0
    share = weigh(message) / len(wire)
    while at < len(wire):
        end = min(len(wire), at + (PIECE << (at // (PIECE * PIECES)).bit_length()))
        made.append((hash(wire[at:end]), (end - at) * share))
        at = end
    return made

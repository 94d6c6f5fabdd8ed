"""Checks whether tools, calls and results appear in the prompt that a model receives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

from mmos.doctor.facts import Facts, Rendered
from mmos.doctor.findings import Finding, error, info, warning
from mmos.doctor.probe import ARGUMENT, PARAMETER, RESULT, TOOL, holds_tools
from mmos.doctor.versions import read
from mmos.hosts.face import Card
from mmos.names import canonical

_STRUCT = re.compile(r"\{\{-?\s*\.Function\s*-?\}\}")
_STRUCTS_SINCE = (0, 14, 0)


def tools(facts: Facts) -> Iterator[Finding]:
    for (host, model), seen in facts.rendered.items():
        roles = [role.name for role in facts.roles.values() if canonical(role.model) == model]
        name = next(role.model for role in facts.roles.values() if canonical(role.model) == model)
        yield from _looked_at(f"{name} on {host}", roles, seen) if seen.text is not None else _guessed(facts, host, name, roles, seen)


def _looked_at(subject: str, roles: list[str], seen: Rendered) -> Iterator[Finding]:
    text = seen.text or ""
    if TOOL not in text:
        yield error("tools_not_rendered", subject, "The offered tools do not reach the model: they are not in its prompt.", _schema(roles))
        return
    if "<nil>" in text:
        yield _structs(subject, roles)
    elif PARAMETER not in text:
        yield error("tools_not_rendered", subject, "The names of the tools reach the model, but their parameters do not.", _schema(roles))
    if RESULT not in text:
        yield warning("tool_history_lost", subject, "Results of tools do not reach the model: they are not in its prompt.", _schema(roles))
    elif ARGUMENT not in text:
        yield warning(
            "tool_history_lost", subject, "Its own earlier calls do not reach the model: they are not in its prompt.", _schema(roles)
        )


def _guessed(facts: Facts, host: str, model: str, roles: list[str], seen: Rendered) -> Iterator[Finding]:
    """Where the prompt could not be seen, its template tells of the one fault that is known."""
    state = next(state for state in facts.states if state.name == host)
    card = facts.card(host, model)
    if card is not None and prints_structs(card, state.version):
        yield _structs(f"{model} on {host}", roles)
    elif any(holds_tools(facts.roles[role]) for role in roles):
        yield info("tools_unchecked", f"{model} on {host}", f"How tools reach it was not checked: {seen.why}.", f"mmos models warm {quote(model)} --host {host}, then mmos doctor again; or mmos doctor --load")  # fmt: skip


def prints_structs(card: Card, version: str) -> bool:
    """Templates that print a tool's `.Function` as a whole, on servers that print it as Go does (Ollama #14601)."""
    number = read(version)
    return bool(_STRUCT.search(card.template)) and (number is None or number >= _STRUCTS_SINCE)


def _structs(subject: str, roles: list[str]) -> Finding:
    return warning(
        "tools_rendered_as_structs", subject,
        "Its template prints tools as Go structs, not as JSON (Ollama #14601): the model sees `{name text {object <nil> …`, and calls get worse.",
        f"{_schema(roles)} Or start its Ollama with OLLAMA_GO_TEMPLATE=0, or make a model whose template prints {{{{ . }}}} for each tool.",
    )  # fmt: skip


def _schema(roles: list[str]) -> str:
    return f"Write channel: schema for {', '.join(roles)}."

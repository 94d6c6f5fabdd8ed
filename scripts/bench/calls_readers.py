"""Imitates the readers of Ollama and vLLM in a few lines each, from their known behaviour and without their code."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bench.calls_rows import Outcome

Tools = Sequence[Mapping[str, Any]]
Calls = list[tuple[str, Mapping[str, Any]]]

_HERMES = re.compile(r"<tool_call>(.*?)</tool_call>|<tool_call>(.*)", re.DOTALL)


def ollama(text: str, tools: Tools) -> Outcome:
    """Ollama's parser for Go templates, with the tag of qwen2.5: the first known name after the tag, and the first object."""
    before, found, rest = text.partition("<tool_call>")
    if not found and text.lstrip()[:1] not in ("{", "["):
        return Outcome((), text)
    buffer, calls = (found + rest if found else text), []
    names = [(tool.get("function") or tool)["name"] for tool in tools]
    while made := _next(buffer, names):
        calls.append(made[0])
        buffer = buffer[made[1] :]
    return Outcome(tuple(calls), before if found else "" if calls else text)


def _next(buffer: str, names: Sequence[str]) -> tuple[tuple[str, Mapping[str, Any]], int] | None:
    places = [(buffer.find(name), -len(name), name) for name in names if name in buffer]
    start = buffer.find("{")
    if not places or start < 0:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(buffer, start)
    except (ValueError, RecursionError):
        return None
    for key in ("arguments", "parameters"):
        held = value.get(key)
        if isinstance(held, dict):
            return (min(places)[2], held), end
    return None


def hermes(text: str, tools: Tools) -> Outcome:  # noqa: ARG001
    """vLLM's reader for Hermes and Qwen: JSON between tags. After one error the whole text is content."""
    found = _HERMES.findall(text)
    try:
        rows = [json.loads(closed or opened) for closed, opened in found]
        calls = [(row["name"], row["arguments"]) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Outcome((), text)
    return Outcome(tuple(calls), text.partition("<tool_call>")[0] if calls else text)


def pythonic(text: str, tools: Tools) -> Outcome:  # noqa: ARG001
    """vLLM's reader for Python syntax: the whole text must be a list of calls with plain names and literals."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        calls = [_spoken(node) for node in tree.elts] if isinstance(tree, ast.List) and tree.elts else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Outcome((), text)
    return Outcome(tuple(calls), "" if calls else text)


def _spoken(node: ast.expr) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.args:
        raise ValueError(node)
    return node.func.id, {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}


def llama(text: str, tools: Tools) -> Outcome:  # noqa: ARG001
    """vLLM's reader for Llama 3: objects with a name and parameters from the first bracket on, separated by `;`."""
    text = text.removeprefix("<|python_tag|>")
    try:
        calls = list(_objects(text))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Outcome((), text)
    return Outcome(tuple(calls), "" if calls else text)


def _objects(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    at = text.find("{")
    while 0 <= at < len(text):
        value, at = json.JSONDecoder().raw_decode(text, at)
        yield value["name"], value["arguments"] if "arguments" in value else value["parameters"]
        while at < len(text) and text[at] in "; \n":
            at += 1


READERS: Mapping[str, Callable[[str, Tools], Outcome]] = {
    "Ollama, Go template": ollama,
    "vLLM, hermes": hermes,
    "vLLM, pythonic": pythonic,
    "vLLM, llama3_json": llama,
}

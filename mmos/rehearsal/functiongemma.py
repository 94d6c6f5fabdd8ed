"""Writes the prompt of functiongemma as Ollama's renderer does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmos.rehearsal.declarations import go_text, in_order

INTRODUCTION = "You can do function calling with the following functions:"


def functiongemma_prompt(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> str:
    """The messages as text. A result follows its call directly, and a message after a result opens no new turn."""
    first = [str(messages[0]["content"])] if messages and messages[0].get("role") == "system" else []
    declarations = [INTRODUCTION + "".join(map(_declaration, tools))] if tools else []
    text = "<bos>" + _turn("developer", "\n".join([*first, *declarations])) if first or declarations else "<bos>"
    names: list[str] = []
    before = ""
    for message in messages[len(first) :]:
        role, content = str(message.get("role", "")), str(message["content"])
        if role == "tool":
            text += f"<start_function_response>response:{names.pop(0) if names else ''}{{{_escaped(content)}}}<end_function_response>"
        else:
            calls = [call.get("function") or {} for call in message.get("tool_calls") or ()]
            names = [str(call.get("name", "")) for call in calls] or names
            opening = "" if before == "tool" else f"<start_of_turn>{'model' if role == 'assistant' else role}\n"
            text += f"{opening}{content}{''.join(map(_call, calls))}" + ("" if calls else "<end_of_turn>\n")
        before = role
    return text if before == "tool" else f"{text}<start_of_turn>model\n"


def _turn(role: str, content: str) -> str:
    return f"<start_of_turn>{role}\n{content}<end_of_turn>\n"


def _escaped(text: object) -> str:
    return f"<escape>{text}<escape>"


def _declaration(tool: Mapping[str, Any]) -> str:
    """The parameters of a function. The model does not see enums, items or nested objects."""
    function = tool["function"]
    schema = function["parameters"]
    properties = schema["properties"] or {}
    parts = []
    if properties:
        rows = [f"{name}:{{description:{_escaped(row.get('description', ''))},type:{_kind(row)}}}" for name, row in properties.items()]
        parts.append(f"properties:{{{','.join(rows)}}}")
    if schema.get("required"):
        parts.append(f"required:[{','.join(map(_escaped, schema['required']))}]")
    if schema["type"]:
        parts.append(f"type:{_kind(schema)}")
    parameters = f",parameters:{{{','.join(parts)}}}" if parts else ""
    return (
        f"<start_function_declaration>declaration:{function['name']}"
        f"{{description:{_escaped(function.get('description', ''))}{parameters}}}<end_function_declaration>"
    )


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "")
    return _escaped(str(kind[0] if isinstance(kind, list) and kind else kind).upper())


def _call(function: Mapping[str, Any]) -> str:
    return f"<start_function_call>call:{function.get('name', '')}{_value(in_order(function.get('arguments') or {}))}<end_function_call>"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_value(part)}' for key, part in value.items())}}}"
    return f"[{','.join(map(_value, value))}]" if isinstance(value, list) else go_text(value)

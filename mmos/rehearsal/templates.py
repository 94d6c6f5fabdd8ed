"""Renders chat templates: the text that a model receives, with tools, calls and results."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any

from mmos.rehearsal.declarations import as_struct, compact, decoded, in_order, spaced
from mmos.rehearsal.decoding import Ask, RefusalError
from mmos.rehearsal.functiongemma import functiongemma_prompt
from mmos.rehearsal.personas import Model, Template
from mmos.rehearsal.profiles import Profile

Message = Mapping[str, Any]
ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
PLAIN = "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
_TOOLS = "# Tools\n{{ range .Tools }}TOOL\n{{ end }}"
_WITH_TOOLS = (
    "{{- if .System }}<|im_start|>system\n{{ .System }}{{ if .Tools }}\n\n"
    + _TOOLS
    + "{{ end }}<|im_end|>\n{{ else if .Tools }}<|im_start|>system\n"
    + _TOOLS
    + '<|im_end|>\n{{ end }}{{ range .Messages }}{{ if ne .Role "system" }}<|im_start|>{{ .Role }}\nTHOUGHTCONTENT<|im_end|>\n'
    + "{{ end }}{{ end }}<|im_start|>assistant\n"
)
_CALLS = '{{ range .ToolCalls }}OPENING\n{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}\nCLOSING{{ end }}'
_BOTH = "{{ .Content }}{{ if .ToolCalls }}" + _CALLS + "{{ end }}"
_EITHER = "{{ if .Content }}{{ .Content }}{{ else if .ToolCalls }}" + _CALLS + "{{ end }}"
_THOUGHT = "{{ if .Thinking }}<think>{{ .Thinking }}</think>\n{{ end }}"
_STRUCT = '{"type": "function", "function": {{ .Function }}}'
_TEXTS: Mapping[Template, tuple[str, str]] = {"whole": ("{{ . }}", _BOTH), "either": ("{{ . }}", _EITHER), "structs": (_STRUCT, _EITHER)}
ASSISTANT = "<|im_start|>assistant\n"


def kind_of(model: Model) -> Template:
    return model.template or ("whole" if model.can("tools") else "plain")


def go_template(model: Model) -> str:
    """The template in the Modelfile of a model."""
    kind = kind_of(model)
    if not model.can("completion") or model.path == "functiongemma":
        return "{{ .Prompt }}"
    if kind == "plain":
        return PLAIN
    tool, content = _TEXTS[kind]
    opening, closing = _tags(model)
    template = _WITH_TOOLS.replace("TOOL\n", f"{tool}\n").replace("THOUGHT", _THOUGHT if model.can("thinking") else "")
    return template.replace("CONTENT", content).replace("OPENING", opening).replace("CLOSING", closing)


def _tags(model: Model) -> tuple[str, str]:
    return ("", "") if model.tag == "{" else (model.tag, model.tag.replace("<", "</", 1))


def rendered(messages: Sequence[Message], ask: Ask, model: Model, rules: Profile) -> str:
    """The prompt that the server writes. The engine may still cut it."""
    if ask.raw:
        return str(messages[-1].get("content") or "")
    roles = [message.get("role") for message in messages]
    if model.strict_turns and ("user", "user") in pairwise(roles):
        raise RefusalError(500, "Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...")
    images = count()
    with_images = [{**message, "content": _content(message, images)} for message in messages]
    joined = _join(with_images)
    if ask.template:
        return _fill(ask.template, joined)
    tools = [decoded(tool, rules) for tool in ask.tools]
    if model.path == "functiongemma":
        return functiongemma_prompt(with_images, tools)
    if model.path == "native" and not rules.native:  # this version does not use the template in its file, and it has no other
        return "".join(message["content"] for message in joined if message.get("role") in ("user", "assistant"))
    return _Frame(model, rules).text(joined, tools)


def _content(message: Message, images: Any) -> str:
    marks = "".join(f"[img-{next(images)}]" for _ in message.get("images") or ())
    return f"{marks}{message.get('content') or ''}"


def _join(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Join neighbouring messages of the same role. Results stay separate. The calls of the second message are lost."""
    result: list[dict[str, Any]] = []
    for message in messages:
        if result and result[-1].get("role") == message.get("role") != "tool":
            result[-1]["content"] += f"\n\n{message['content']}"
        else:
            result.append(dict(message))
    return result


def check_template(template: str) -> None:
    if "{{" in ACTION.sub("", template):
        raise RefusalError(500, "template: :1: unclosed action")


def _fill(template: str, messages: Sequence[Message]) -> str:
    """The prompt from a request's own template. It fills in the prompt and the system text. Other actions write nothing."""
    values = {".Prompt": "user", ".System": "system"}
    before = re.split(r"\{\{-?\s*\.Response\b", template)[0]

    def value(found: re.Match[str]) -> str:
        return "\n\n".join(message["content"] for message in messages if message.get("role") == values.get(found.group(1), ""))

    return ACTION.sub(value, before)


@dataclass(frozen=True)
class _Frame:
    """The template that all rehearsed models share. They differ in how they write tools and calls."""

    model: Model
    rules: Profile

    def text(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> str:
        system = "\n\n".join(message["content"] for message in messages if message.get("role") == "system")
        if kind_of(self.model) == "plain":
            return "".join(f"<|im_start|>{message.get('role')}\n{message['content']}<|im_end|>\n" for message in messages) + ASSISTANT
        tool_list = "\n".join(["# Tools", *map(self._tool, tools), ""]) if tools else ""
        head = "\n\n".join(part for part in (system, tool_list) if part)
        turns = [
            f"<|im_start|>{message.get('role')}\n{self._turn(message)}<|im_end|>\n"
            for message in messages
            if message.get("role") != "system"
        ]
        return (f"<|im_start|>system\n{head}<|im_end|>\n" if head else "") + "".join(turns) + ASSISTANT

    @property
    def _json(self) -> Callable[[Any], str]:
        return spaced if self.model.path == "native" else compact

    def _tool(self, tool: Mapping[str, Any]) -> str:
        if kind_of(self.model) != "structs":
            return self._json(tool)
        function = as_struct(tool) if self.rules.tools_as_structs else compact(tool["function"])
        return _STRUCT.replace("{{ .Function }}", function)

    def _turn(self, message: Message) -> str:
        thought = message.get("thinking") if self.model.can("thinking") else ""
        lost = kind_of(self.model) != "whole" and message["content"]
        calls = "" if lost else "".join(self._call(call.get("function") or {}) for call in message.get("tool_calls") or ())
        return f"<think>{thought}</think>\n{message['content']}{calls}" if thought else f"{message['content']}{calls}"

    def _call(self, function: Mapping[str, Any]) -> str:
        opening, closing = _tags(self.model)
        arguments = self._json(in_order(function.get("arguments") or {}))
        return f'{opening}\n{{"name": "{function.get("name", "")}", "arguments": {arguments}}}\n{closing}'

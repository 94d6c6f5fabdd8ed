"""The models of the comparison as rehearsal personas: they say word for word what the scripted real ones say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmos.rehearsal import Loop, Model, Prompt, Ramble, Say, Speed
from mmos.rehearsal.personas import Turn
from mmos.rehearsal.pieces import BadByte, Raw

MODELS = Path(__file__).parents[2] / "scripts" / "real_ollama" / "models"
QUICK = Speed(load_seconds=0.25, prefill=100_000.0, decode=3000.0)
SLOW_LOAD = Speed(load_seconds=0.6, prefill=100_000.0, decode=3000.0)


PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "arbiter": {"num_ctx": 8192, "temperature": 0.7},
    "adviser": {"num_ctx": 16384},
    "router": {"num_ctx": 8192},
    "coder": {"num_ctx": 4096},
    "reasoner": {"num_ctx": 4096},
    "talker": {"num_ctx": 32768},
    "counter": {"num_ctx": 4096},
    "doubter": {"num_ctx": 4096},
    "judge": {"num_ctx": 8192},
    "looper": {"num_ctx": 2048, "num_predict": 2000},
}
"""What their Modelfiles set; all of them `num_thread 1` besides."""


def scripts(model: str) -> Mapping[str, Any]:
    return json.loads((MODELS / f"{model}.json").read_text("utf-8"))["scripts"]


def text(model: str, script: str = "*") -> str:
    """What a model says in one of its scripts."""
    said = scripts(model)[script]
    return said if isinstance(said, str) else "".join(part for part in said if isinstance(part, str))


def _said(model: str, script: str) -> Turn:
    """A script as the model writes it, for its server's parsers; broken letters as broken bytes."""
    told = scripts(model)[script]
    if isinstance(told, str) or all(isinstance(part, str) for part in told):
        return Raw("".join(told))
    parts: list[Any] = []
    for part in told:
        if isinstance(part, str):
            parts.append(Say(part))
        elif isinstance(part["bytes"], str):
            parts += [Say(sign) for sign in part["bytes"]]  # a token for each
        else:
            parts.append(BadByte())
    return parts


def _arbiter(prompt: Prompt) -> Turn:
    if "ROUTE" in prompt.system:
        return _said("arbiter", "route")
    if prompt.last_role == "tool":
        return _said("arbiter", "final")
    return _said("arbiter", "call" if prompt.tools else "plain")


def _thinker(prompt: Prompt) -> Turn:
    if prompt.last_role == "tool":
        return _said("thinker", "final")
    if prompt.tools:
        return _said("thinker", "inside" if prompt.user_text == "inside" else "call")
    return _said("thinker", "plain" if getattr(prompt, "think", None) is False else "think")


def _as_text(prompt: Prompt) -> Turn:
    if prompt.last_role == "tool":
        return _said("coder-as-text", "final")
    if not prompt.tools:
        return _said("coder-as-text", "plain")
    return _said("coder-as-text", "fence" if prompt.user_text == "fence" else "call")


def _adviser(prompt: Prompt) -> Turn:
    if not prompt.tools:
        return _said("adviser", "plain")
    return _said("adviser", "query" if "tool_failed" in prompt.user_text else "model")


def _as_asked(model: str) -> Turn:
    """One whose user names the script."""

    def say(prompt: Prompt) -> Turn:
        return _said(model, prompt.user_text if prompt.user_text in scripts(model) else "plain")

    return say


def _quirks(prompt: Prompt) -> Turn:
    return _said("quirks", "final") if prompt.last_role == "tool" else _as_asked("quirks")(prompt)


def _router(prompt: Prompt) -> Turn:
    return _said("router", "answer" if prompt.results else "calls")


def _structs(prompt: Prompt) -> Turn:
    return _said("structs", "call" if prompt.tools else "plain")


def _swallower(prompt: Prompt) -> Turn:
    return _said("swallower", "call" if prompt.tools else "plain")


def _talker(prompt: Prompt) -> Turn:
    names = {tool.name for tool in prompt.tools}
    if not names:
        return _said("talker", "own")
    if "start_multi_model_conversation" in names:
        return _said("talker", "final" if prompt.last_role == "tool" else "start")
    if "say" in names:
        return _said("talker", "agree" if any(message.get("role") == "assistant" for message in prompt.messages) else "say")
    if "review" in names:
        return _said("talker", "modify" if "no test." in prompt.user_text else "pass")
    return _said("talker", "conclude")


def _waverer(prompt: Prompt) -> Turn:
    return _said("waverer", "final" if prompt.last_role == "tool" else "call" if prompt.tools else "again")


def _conductor(prompt: Prompt) -> Turn:
    return _said("conductor", "final" if prompt.last_role == "tool" else "call" if prompt.tools else "plain")


def _native(prompt: Prompt) -> Turn:
    return _said("native", "final" if prompt.last_role == "tool" else "call" if prompt.tools else "plain")


def _model(name: str, turn: Turn, *capabilities: str) -> Model:
    return Model.scripted(
        name, [turn], repeat=True, speed=QUICK, size=250_000, capabilities=("completion", *capabilities), context_length=32768,
        parameters={"num_thread": 1, **PARAMETERS.get(name, {})},
    )  # type: ignore[arg-type]  # fmt: skip


CAST = (
    _model("arbiter", _arbiter, "tools"),
    _model("adviser", _adviser, "tools"),
    _model("router", _router),
    _model("coder", Say(text("coder"))),
    _model("reasoner", Say(text("reasoner"))),
    _model("coder-as-text", _as_text, "tools"),
    _model("quirks", _quirks, "tools"),
    dataclasses.replace(_model("structs", _structs, "tools"), template="structs"),
    _model("swallower", _swallower, "tools"),
    _model("waverer", _waverer, "tools"),
    _model("talker", _talker, "tools"),
    _model("conductor", _conductor, "tools"),
    _model("counter", Say(text("counter"))),
    _model("doubter", Say(text("doubter"))),
    _model("judge", Say(text("judge"))),
    _model("thinker", _thinker, "tools", "thinking"),
    _model("faulty", _as_asked("faulty")),
    _model("looper", Loop(text("looper"))),
    _model("random", Ramble(200)),
    dataclasses.replace(_model("native", _native, "tools"), path="native"),
    Model.scripted("heavy-a", [text("heavy-a")], repeat=True, speed=SLOW_LOAD, size=100_000_000, capabilities=("completion",)),
    Model("embed", capabilities=("embedding",), speed=QUICK, size=250_000),
)

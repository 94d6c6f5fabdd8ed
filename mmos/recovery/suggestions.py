"""Defines what may be suggested after a failure, as tools of the role that is asked, and checks each suggestion before it is taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, Literal

import orjson

from mmos.calls.coerce import coerce
from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.prompting.templates import Templates
from mmos.recovery_events import RecoveryBegun
from mmos.scope import Scope
from mmos.toolbox import Tool, parameters_of
from mmos.views.recoveries import RETRY

PHASE, ASK_USER, ROLLBACK, APPROACH = "suggest_phase_change", "request_user_input", "suggest_rollback", "suggest_alternative_approach"
SUGGESTIONS = (RETRY, PHASE, ASK_USER, ROLLBACK, APPROACH)
LONGEST_TIMEOUT = 3600
"""Seconds that a call may get at most."""
LONGEST = 8_000
"""Characters of the arguments of one suggestion."""


@dataclass(frozen=True)
class Suggestion:
    """One cure, and who found it."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    by: Literal["rules", "reasoning"] = "reasoning"
    adviser: str = ""


@dataclass(frozen=True)
class Case:
    """What failed, and what may be suggested about it."""

    begun: RecoveryBegun
    scope: Scope
    models: Sequence[str] = ()
    """The models that may answer in place of the one that failed. Empty: no model has failed."""
    turns: Sequence[int] = ()
    """The turns to which the lane can go back."""
    phases: Sequence[str] = ()
    """The phases to which the run can change now."""
    can_ask: bool = False
    """Whether the user can be asked."""
    call: Spec | None = None
    """The tool whose call failed."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The arguments of that call."""
    is_timed: bool = False
    """Whether the call has a timeout that can change."""
    barred: Collection[str] = ()
    """Suggestions that need an approval that nobody can give."""

    def changed_arguments(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the call with the changes of a retry."""
        known = self.call.parameters.get("properties", {}) if self.call else {}
        plain = {name: changes[name] for name in ("query", "context") if name in changes and name in known}
        return {**self.arguments, **changes.get("arguments", {}), **plain}


def digest_of(begun: RecoveryBegun, name: str, arguments: Mapping[str, Any]) -> str:
    """The name of a suggestion for what failed. Its reason does not count."""
    what = [begun.lane, begun.tool, name, {key: value for key, value in arguments.items() if key != "reason"}]
    return blake2b(orjson.dumps(what, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def tools_of(case: Case, templates: Templates) -> tuple[Tool, ...]:
    """The suggestions that are possible now."""
    text = {"type": "string"}
    possible: dict[str, tuple[dict[str, Any], list[str]]] = {APPROACH: ({"approach": text}, ["approach"])}
    if case.call is not None or not case.begun.call:  # a tool that is not there cannot be called again
        possible[RETRY] = (_changes(case), [])
    if case.phases:
        possible[PHASE] = ({"phase": {**text, "enum": list(case.phases)}}, ["phase"])
    if case.can_ask:
        possible[ASK_USER] = ({"question": text, "options": {"type": "array", "items": text}}, ["question"])
    if case.turns:
        possible[ROLLBACK] = ({"to": {"type": "integer"}}, ["to"])
    return tuple(_tool(case, templates, name, *possible[name]) for name in SUGGESTIONS if name in possible and name not in case.barred)


def _changes(case: Case) -> dict[str, Any]:
    """What a retry may change: of a call its arguments, of an exchange the words, and of whoever answers the model."""
    text = {"type": "string"}
    known = case.call.parameters.get("properties", {}) if case.call else {"query": text, "context": text}
    found: dict[str, Any] = {name: text for name in ("query", "context") if name in known}
    if case.call is not None:
        found["arguments"] = {"type": "object"}
    if case.models:
        found |= {"model": {**text, "enum": list(case.models)}, "temperature": {"type": "number", "minimum": 0, "maximum": 2}}
    if case.is_timed:
        found["timeout"] = {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_TIMEOUT}
    return found


def _tool(case: Case, templates: Templates, name: str, properties: Mapping[str, Any], required: list[str]) -> Tool:
    texts = _texts(templates)
    described = {key: {**part, "description": texts[f"{name}.{key}"]} for key, part in properties.items()}
    described["reason"] = {"type": "string", "description": templates.fill("suggestion.reason")}
    spec = Spec(name, texts[name], parameters_of(described, [*required, "reason"]))
    return Tool(spec, partial(_take, case, templates, name), after_crash="repeat", final=True)


def _texts(templates: Templates) -> Mapping[str, str]:
    """The descriptions of the suggestions and of their arguments."""
    return {
        RETRY: templates.fill("suggest_retry_with_changes"),
        f"{RETRY}.query": templates.fill("suggest_retry_with_changes.query"),
        f"{RETRY}.context": templates.fill("suggest_retry_with_changes.context"),
        f"{RETRY}.arguments": templates.fill("suggest_retry_with_changes.arguments"),
        f"{RETRY}.model": templates.fill("suggest_retry_with_changes.model"),
        f"{RETRY}.temperature": templates.fill("suggest_retry_with_changes.temperature"),
        f"{RETRY}.timeout": templates.fill("suggest_retry_with_changes.timeout"),
        PHASE: templates.fill("suggest_phase_change"),
        f"{PHASE}.phase": templates.fill("suggest_phase_change.phase"),
        ASK_USER: templates.fill("request_user_input"),
        f"{ASK_USER}.question": templates.fill("request_user_input.question"),
        f"{ASK_USER}.options": templates.fill("request_user_input.options"),
        ROLLBACK: templates.fill("suggest_rollback"),
        f"{ROLLBACK}.to": templates.fill("suggest_rollback.to"),
        APPROACH: templates.fill("suggest_alternative_approach"),
        f"{APPROACH}.approach": templates.fill("suggest_alternative_approach.approach"),
    }


async def _take(case: Case, templates: Templates, name: str, _context: Context, arguments: Mapping[str, Any]) -> Any:
    """Take a suggestion that can be carried out. If not, the model reads why, and may choose again."""
    if why := problem(case, templates, name, arguments):
        raise ToolError(why)
    return {"suggestion": name, "arguments": arguments}


def problem(case: Case, templates: Templates, name: str, arguments: Mapping[str, Any]) -> str:
    """Why a suggestion cannot be carried out. Empty: it can."""
    if case.scope.view.recoveries.refused(digest_of(case.begun, name, arguments)):
        return templates.fill("suggestion_tried")
    if len(orjson.dumps(arguments)) > LONGEST:
        return templates.fill("suggestion_too_long", characters=f"{LONGEST:,}")
    if name == RETRY:
        return _retry_problem(case, templates, arguments)
    if name == ROLLBACK and arguments["to"] not in case.turns:
        return templates.fill("suggestion_unknown", what=f"turn {arguments['to']}", known=", ".join(map(str, case.turns)))
    return ""


def _retry_problem(case: Case, templates: Templates, changes: Mapping[str, Any]) -> str:
    if not changes.keys() - {"reason"}:
        return templates.fill("suggestion_empty")
    if case.call is None:
        return ""
    found = coerce(case.changed_arguments(changes), case.call.parameters, case.call.problems)
    if found.problems:
        known = ", ".join(case.call.parameters.get("properties", ())) or templates.fill("none")
        return templates.fill("wrong_arguments", tool=case.call.name, problems="; ".join(found.problems), parameters=known)
    if found.arguments == dict(case.arguments) and not changes.keys() & {"model", "temperature", "timeout"}:
        return templates.fill("suggestion_empty")
    return ""


_NEEDS: Mapping[str, tuple[str, ...]] = {
    RETRY: (), PHASE: ("phase",), ASK_USER: ("question",), ROLLBACK: ("to",), APPROACH: ("approach",),
}  # fmt: skip
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "query": str, "context": str, "arguments": Mapping, "model": str, "temperature": (int, float), "timeout": (int, float),
    "phase": str, "question": str, "options": list, "to": int, "approach": str,
}  # fmt: skip


def is_whole(name: str, arguments: Mapping[str, Any], by: str = "reasoning") -> bool:
    """Whether a suggestion has what it needs, each of its kind. In the journal of a stranger it may not."""
    needs = _NEEDS.get(name, () if by == "rules" else None)
    given = all(isinstance(arguments[key], kind) for key, kind in _KINDS.items() if key in arguments)
    return needs is not None and given and all(key in arguments for key in needs)


def read(case: Case, templates: Templates, text: str, adviser: str) -> Suggestion | None:
    """The suggestion in the answer of an adviser. None: it suggested nothing that can be carried out.

    The answer may be a text that no tool has checked: after a fault, an adviser may answer without a call.
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    name, given = (found.get("suggestion"), found.get("arguments")) if isinstance(found, dict) else (None, None)
    tool = next((tool for tool in tools_of(case, templates) if tool.name == name), None)
    if tool is None or not isinstance(given, dict):
        return None
    fit = coerce(given, tool.spec.parameters, tool.spec.problems)
    if fit.problems or problem(case, templates, tool.name, fit.arguments):
        return None
    return Suggestion(tool.name, fit.arguments, "reasoning", adviser)

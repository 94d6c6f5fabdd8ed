"""Makes a call of an offered tool from a draft, with arguments that fit its schema, or a sentence that says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmos.calls.arithmetic import number
from mmos.calls.coerce import coerce
from mmos.calls.markup import Raw, pairs
from mmos.calls.naming import Match, Names, folded
from mmos.calls.patience import Misread, Patience
from mmos.calls.shapes import ARGUMENT_KEYS, BESIDE, NAME_KEYS, Draft
from mmos.calls.sheet import Sheet
from mmos.calls.spec import Spec
from mmos.calls.values import PythonCall, Word, read_value
from mmos.plurals import counted

DEEPEST = 60
VALUES_A_STEP = 4
"""Plain values that one step can check."""
_SCHEMA_WORDS = frozenset(("type", "description", "enum", "anyOf", "oneOf", "$ref", "items"))
_PAIR_KEYS = ({"name", "value"}, {"key", "value"})
"""Arguments as a list of names and values."""
MOST_NAMES = 8
"""Offered names that a sentence lists."""


TYPES = frozenset(
    [
        "string",
        "str",
        "text",
        "int",
        "integer",
        "number",
        "float",
        "double",
        "bool",
        "boolean",
        "array",
        "list",
        "object",
        "dict",
        "any",
        "none",
        "null",
        "optional",
        "tuple",
        "date",
        "datetime",
        "enum",
    ]
)


@dataclass(frozen=True)
class Call:
    """A call of an offered tool, with arguments that fit its schema."""

    name: str
    arguments: Mapping[str, Any]


@dataclass
class Notes:
    """The repairs and the problems so far."""

    repairs: list[tuple[str, str]] = field(default_factory=list)
    """Each with its kind: `extract` is about the form, `repair` about names and arguments."""
    problems: list[str] = field(default_factory=list)
    patience: Patience = field(default_factory=Patience)

    def repair(self, what: str, kind: str = "repair") -> None:
        if what and (kind, what) not in self.repairs:
            self.repairs.append((kind, what))


def resolve(draft: Draft, names: Names, notes: Notes, *, sure: bool = False) -> Call | None:
    """The call that a draft means. None: it is no offered tool, or its arguments cannot be repaired. The notes have the reason."""
    try:
        return _resolved(draft, names, notes, sure=sure)
    except Misread:
        notes.problems.append(f"{draft.name[:80]}: its arguments are too many, or nested too deeply, to be read")
        return None


def _resolved(draft: Draft, names: Names, notes: Notes, *, sure: bool) -> Call | None:
    match = names.sure(draft.name) if sure else names.near(draft.name)
    if match.spec is None:
        notes.problems.append(_unknown(draft.name, match, names))
        return None
    spec = match.spec
    local = Notes(patience=notes.patience)
    local.repair(draft.shape)
    local.repair(match.repair)
    arguments = _arguments(draft, spec, local)
    if isinstance(arguments, str):
        notes.problems.append(f"{spec.name}: {arguments}")
        return None
    values = {name: _typed(value, _property(spec, name), notes.patience) for name, value in arguments.items()}
    if any(_holds_call(value) for value in values.values()):
        notes.problems.append(f"{spec.name}: another call stands among its arguments; call that one first, then this one with its result")
        return None
    coercion = coerce(values, spec.parameters, spec.problems, notes.patience)
    if coercion.problems:
        notes.problems.append(f"{spec.name}: " + "; ".join(coercion.problems))
        return None
    for change in coercion.changes:
        local.repair(change)
    for kind, what in local.repairs:
        notes.repair(what if what.startswith("name") else f"{spec.name}: {what}", kind)
    return Call(spec.name, coercion.arguments)


def signature(draft: Draft, names: Names) -> bool:
    """Whether a draft only shows how to call a tool: its values are names of types or of its own parameters."""
    arguments = draft.arguments if isinstance(draft.arguments, Mapping) else {}
    values = [(str(key), value) for key, value in arguments.items()] + [("", value) for value in draft.positional]
    words = [(key, value.lower().rstrip("[]?")) for key, value in values if isinstance(value, Word)]
    spec = names.sure(draft.name).spec
    known = {folded(name) for name in _properties(spec)} if spec else set()
    return bool(words) and len(words) == len(values) and all(_shows(word, known) for _, word in words)


def _shows(word: str, known: set[str]) -> bool:
    return word.split(" ")[0].rstrip(",") in TYPES or word in ("", "...", "…") or word[0] == "<" or folded(word) in known


def _unknown(name: str, match: Match, names: Names) -> str:
    tools = ", ".join(list(names.specs)[:MOST_NAMES]) + (", …" if len(names.specs) > MOST_NAMES else "")
    if match.rivals:
        return f"`{name}` may mean {' or '.join(match.rivals)}: use the exact name"
    return (f"there is no tool `{name[:80]}`" if name else "the call names no tool") + f"; there are: {tools or 'none'}"


# ---------------------------------------------------------------- where the arguments are


def _arguments(draft: Draft, spec: Spec, notes: Notes) -> dict[str, Any] | str:
    """The arguments by the names of the schema. A sentence if they cannot be found."""
    known = _properties(spec)
    if _declares(draft, known):
        return "the tool is described here, and not called; give values for its parameters"
    arguments = _unpacked(draft.arguments, spec, notes)
    if isinstance(arguments, str):
        return arguments
    loose = {key: value for key, value in draft.beside.items() if key not in BESIDE or key in known}
    if draft.arguments is None and not draft.positional:
        arguments = {**arguments, **loose}
    elif extra := {key: value for key, value in loose.items() if key in known and key not in arguments}:
        notes.repair("arguments beside the others")
        arguments = {**arguments, **extra}
    if draft.positional:
        return _placed(draft.positional, arguments, known, spec, notes)
    return _spelled(arguments, known, notes)


def _declares(draft: Draft, known: Mapping[str, Any]) -> bool:
    """Whether the model repeats the list of tools: a name with only a description, or a schema in place of values."""
    is_description = "description" in draft.beside and "description" not in known
    arguments = draft.arguments
    if arguments is None:
        return is_description and draft.beside.keys() <= set(BESIDE)
    if not isinstance(arguments, Mapping) or not isinstance(parts := arguments.get("properties"), Mapping) or "properties" in known:
        return False
    if not parts:
        return is_description
    return all(isinstance(part, Mapping) and "value" not in part and part.keys() & _SCHEMA_WORDS for part in parts.values())


def _unpacked(raw: Any, spec: Spec, notes: Notes) -> dict[str, Any] | str:
    """The arguments as an object, without any wrapping."""
    for _ in range(4):
        if isinstance(raw, str) and not isinstance(raw, Word):
            raw = _from_text(raw, spec, notes)
        elif isinstance(raw, list) and raw and all(isinstance(part, Mapping) and part.keys() in _PAIR_KEYS for part in raw):
            raw = {str(part.get("name", part.get("key"))): part["value"] for part in raw}
        elif isinstance(raw, list) and len(raw) == 1 and isinstance(raw[0], Mapping):
            raw = raw[0]
        elif isinstance(raw, Mapping) and (inner := _nested(raw, spec)) is not None:
            notes.repair("arguments nested twice")
            raw = inner
        else:
            break
    if raw is None or raw == [] or raw == "":
        return {}
    if isinstance(raw, Mapping):
        return {str(key): value for key, value in raw.items()}
    known = list(_properties(spec))
    values = raw if isinstance(raw, list) else [raw]
    if (len(known) == 1 and not isinstance(raw, list)) or (0 < len(values) <= len(known) and isinstance(raw, list)):
        notes.repair("arguments without names, taken in the order of the schema")
        return dict(zip(known, values, strict=False))
    return "its arguments are no object"


def _from_text(text: str, spec: Spec, notes: Notes) -> Any:
    """The arguments in a text."""
    stripped = text.strip()
    if stripped.lower() in ("", "null", "none"):
        return {}
    if stripped[0] in "{[":
        try:
            value = read_value(stripped, 0, lists_calls=False, patience=notes.patience)
        except Misread:
            return [text] if len(_properties(spec)) == 1 else text
        if not value.torn and not stripped[value.end :].strip("}] \n\t"):
            notes.repair("arguments as a text")
            return value.value
    if stripped[0] == '"' and (inner := _quoted_twice(stripped)):
        return inner
    return [text] if len(_properties(spec)) == 1 else Word(text)


def _quoted_twice(text: str) -> str:
    """The inner text of JSON that was encoded twice."""
    try:
        inner = json.loads(text)
    except ValueError:
        return ""
    return inner if isinstance(inner, str) and inner.lstrip()[:1] == "{" else ""


def _nested(arguments: Mapping[str, Any], spec: Spec) -> Any:
    """The inner arguments of `{"arguments": {…}}`, if the tool has no parameter of that name."""
    known = _properties(spec)
    inside = [key for key in arguments if key in ARGUMENT_KEYS or key == "properties"]
    others = arguments.keys() - {*inside, *NAME_KEYS, *BESIDE, *(("required", "additionalProperties") if "properties" in arguments else ())}
    if len(inside) != 1 or others or inside[0] in known or any(key in known for key in arguments if arguments[key] != spec.name):
        return None
    return arguments[inside[0]] if isinstance(arguments[inside[0]], Mapping | str) else None


# ---------------------------------------------------------------- names and places


def _placed(positional: Sequence[Any], by_name: dict[str, Any], known: Mapping[str, Any], spec: Spec, notes: Notes) -> dict[str, Any] | str:
    """The arguments from values without names. One object has all arguments. Other values are in the order of the schema."""
    first = positional[0]
    if len(positional) == 1 and isinstance(first, Mapping) and not by_name and _is_arguments(first, known):
        notes.repair("arguments as an object")
        inner = _unpacked(first, spec, notes)
        return inner if isinstance(inner, str) else _spelled(inner, known, notes)
    free = [name for name in known if name not in by_name]
    required = [name for name in free if name in spec.parameters.get("required", ())]
    order = free if free[: len(required)] == required or len(positional) > len(required) else required
    if len(positional) > len(order):
        return f"{counted(len(positional), 'argument')} too many without a name; name them"
    notes.repair("arguments without names, taken in the order of the schema")
    return {**_spelled(by_name, known, notes), **dict(zip(order, positional, strict=False))}


def _is_arguments(value: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    names = {folded(name) for name in known}
    return (
        len(known) != 1
        or any(folded(str(key)) in names for key in value)
        or _mapping(next(iter(known.values()), None)).get("type") != "object"
    )


def _spelled(arguments: Mapping[str, Any], known: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The arguments with the names of the schema."""
    if arguments.keys() <= known.keys() or not known:
        return dict(arguments)
    free: dict[str, list[str]] = {}
    for name in known:
        if name not in arguments:
            free.setdefault(folded(name), []).append(name)
    result: dict[str, Any] = {}
    for key, value in arguments.items():
        matches = [] if key in known else free.get(folded(key.replace("\\", "")), [])
        if len(matches) == 1 and matches[0] not in result:
            notes.repair(f"argument {key} is {matches[0]}")
            key = matches[0]
        result[key] = value
    return result


def _properties(spec: Spec) -> Mapping[str, Any]:
    return _mapping(spec.parameters.get("properties"))


def _property(spec: Spec, name: str) -> Mapping[str, Any]:
    return _mapping(_properties(spec).get(name))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


# ---------------------------------------------------------------- words and tags become values


def _typed(value: Any, schema: Mapping[str, Any], patience: Patience, depth: int = 0) -> Any:
    """The value of a word, a sum or a text between tags, in the type of the schema."""
    if isinstance(value, Raw):
        return _between_tags(value, schema, patience)
    if isinstance(value, Word):
        return _value_of_word(value, schema)
    if depth > DEEPEST and isinstance(value, (list, dict)):
        raise Misread("too deep")
    if isinstance(value, list):
        patience.spend(len(value) / VALUES_A_STEP)
        items = _mapping(schema.get("items"))
        return [_typed(item, items, patience, depth + 1) for item in value]
    if isinstance(value, dict):
        patience.spend(len(value) / VALUES_A_STEP)
        inner = _mapping(schema.get("properties"))
        return {key: _typed(each, _mapping(inner.get(key)), patience, depth + 1) for key, each in value.items()}
    return value


def _value_of_word(word: Word, schema: Mapping[str, Any]) -> Any:
    if "string" in kinds(schema):
        return str(word)
    worth = number(word)
    return str(word) if worth is None else worth


def _between_tags(raw: Raw, schema: Mapping[str, Any], patience: Patience) -> Any:
    """The text, if the schema allows a text. If not, the value in it."""
    allowed = kinds(schema)
    stripped = raw.strip()
    if "string" in allowed and not (stripped == "null" and "null" in allowed):
        return str(raw)
    if stripped.startswith("<") and "object" in allowed:
        inner, end = pairs(Sheet(stripped, patience), 0, len(stripped))
        if inner and end == len(stripped):
            parts = _mapping(schema.get("properties"))
            return {name: _between_tags(each, _mapping(parts.get(name)), patience) for name, each in inner.items()}
    if allowed or stripped[:1] in ("{", "["):
        try:
            value = read_value(stripped, 0, lists_calls=False, patience=patience)
        except Misread:
            return str(raw)
        if value.end >= len(stripped) and not isinstance(value.value, PythonCall):
            return str(raw) if isinstance(value.value, Word) and not allowed & {"number", "integer"} else value.value
    return str(raw)


def kinds(schema: Mapping[str, Any]) -> set[str]:
    """The types that a schema allows. Empty: any type."""
    kind = schema.get("type")
    found = {kind} if isinstance(kind, str) else set(kind) if isinstance(kind, list) else set()
    for key in ("anyOf", "oneOf"):
        for part in schema.get(key) or ():
            if isinstance(part, Mapping):
                found |= kinds(part)
    if not found and "enum" in schema:
        found = {"string"} if any(isinstance(value, str) for value in schema["enum"]) else set()
    return found


def _holds_call(value: Any, depth: int = 0) -> bool:
    if depth > DEEPEST:
        return False
    inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return isinstance(value, PythonCall) or any(_holds_call(each, depth + 1) for each in inner)

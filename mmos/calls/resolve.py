"""Turns a draft into a call of an offered tool with arguments that fit its schema, or into a sentence that says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmos.calls.arithmetic import number
from mmos.calls.coerce import coerce
from mmos.calls.markup import Raw, pairs
from mmos.calls.naming import Meant, Names, folded
from mmos.calls.patience import Misread, Patience
from mmos.calls.shapes import ARGUMENT_KEYS, BESIDE, NAME_KEYS, Draft
from mmos.calls.sheet import Sheet
from mmos.calls.spec import Spec
from mmos.calls.values import Spoken, Word, read_value
from mmos.plurals import counted

DEEPEST = 60
VALUES_A_STEP = 4
"""How many plain values are looked through in the time of one step."""
_SCHEMA_WORDS = frozenset(("type", "description", "enum", "anyOf", "oneOf", "$ref", "items"))
_PAIRED = ({"name", "value"}, {"key", "value"})
"""Arguments as a list of names and values."""
NAMED_IN_WORDS = 8
"""How many offered names a sentence lists."""


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
    """A call to an offered tool: its name as offered, arguments that its schema allows."""

    name: str
    arguments: Mapping[str, Any]


@dataclass
class Notes:
    """What was repaired on the way, and what stood in the way."""

    repairs: list[tuple[str, str]] = field(default_factory=list)
    """Each with its kind: `extract` is about the form, `repair` about names and arguments."""
    problems: list[str] = field(default_factory=list)
    patience: Patience = field(default_factory=Patience)

    def repaired(self, what: str, kind: str = "repair") -> None:
        if what and (kind, what) not in self.repairs:
            self.repairs.append((kind, what))


def resolve(draft: Draft, names: Names, notes: Notes, *, sure: bool = False) -> Call | None:
    """The call that is meant; None when it is none of ours or its arguments cannot be saved: the notes say why."""
    try:
        return _resolved(draft, names, notes, sure=sure)
    except Misread:
        notes.problems.append(f"{draft.name[:80]}: its arguments are too many, or nested too deeply, to be read")
        return None


def _resolved(draft: Draft, names: Names, notes: Notes, *, sure: bool) -> Call | None:
    meant = names.sure(draft.name) if sure else names.near(draft.name)
    if meant.spec is None:
        notes.problems.append(_unknown(draft.name, meant, names))
        return None
    spec = meant.spec
    local = Notes(patience=notes.patience)
    local.repaired(draft.shape)
    local.repaired(meant.repair)
    arguments = _arguments(draft, spec, local)
    if isinstance(arguments, str):
        notes.problems.append(f"{spec.name}: {arguments}")
        return None
    typed = {name: _typed(value, _property(spec, name), notes.patience) for name, value in arguments.items()}
    if any(_holds_call(value) for value in typed.values()):
        notes.problems.append(f"{spec.name}: another call stands among its arguments; call that one first, then this one with its result")
        return None
    coerced = coerce(typed, spec.parameters, spec.problems, notes.patience)
    if coerced.problems:
        notes.problems.append(f"{spec.name}: " + "; ".join(coerced.problems))
        return None
    for change in coerced.changes:
        local.repaired(change)
    for kind, what in local.repairs:
        notes.repaired(what if what.startswith("name") else f"{spec.name}: {what}", kind)
    return Call(spec.name, coerced.arguments)


def signature(draft: Draft, names: Names) -> bool:
    """Whether a draft only shows how a tool is called: its values are the names of types or of its own parameters."""
    given = draft.arguments if isinstance(draft.arguments, Mapping) else {}
    said = [(str(key), value) for key, value in given.items()] + [("", value) for value in draft.positional]
    words = [(key, value.lower().rstrip("[]?")) for key, value in said if isinstance(value, Word)]
    spec = names.sure(draft.name).spec
    known = {folded(name) for name in _properties(spec)} if spec else set()
    return bool(words) and len(words) == len(said) and all(_shows(word, known) for _, word in words)


def _shows(word: str, known: set[str]) -> bool:
    return word.split(" ")[0].rstrip(",") in TYPES or word in ("", "...", "…") or word[0] == "<" or folded(word) in known


def _unknown(name: str, meant: Meant, names: Names) -> str:
    offered = ", ".join(list(names.specs)[:NAMED_IN_WORDS]) + (", …" if len(names.specs) > NAMED_IN_WORDS else "")
    if meant.rivals:
        return f"`{name}` may mean {' or '.join(meant.rivals)}: use the exact name"
    return (f"there is no tool `{name[:80]}`" if name else "the call names no tool") + f"; there are: {offered or 'none'}"


# ---------------------------------------------------------------- where the arguments are


def _arguments(draft: Draft, spec: Spec, notes: Notes) -> dict[str, Any] | str:
    """All arguments by the names of the schema; a sentence when they cannot be found."""
    known = _properties(spec)
    if _declares(draft, known):
        return "the tool is described here, and not called; give values for its parameters"
    given = _unpacked(draft.arguments, spec, notes)
    if isinstance(given, str):
        return given
    loose = {key: value for key, value in draft.beside.items() if key not in BESIDE or key in known}
    if draft.arguments is None and not draft.positional:
        given = {**given, **loose}
    elif taken := {key: value for key, value in loose.items() if key in known and key not in given}:
        notes.repaired("arguments beside the others")
        given = {**given, **taken}
    if draft.positional:
        return _placed(draft.positional, given, known, spec, notes)
    return _spelled(given, known, notes)


def _declares(draft: Draft, known: Mapping[str, Any]) -> bool:
    """Whether the tool list is echoed: a name with a description alone, or a schema where values are due."""
    told = "description" in draft.beside and "description" not in known
    given = draft.arguments
    if given is None:
        return told and draft.beside.keys() <= set(BESIDE)
    if not isinstance(given, Mapping) or not isinstance(parts := given.get("properties"), Mapping) or "properties" in known:
        return False
    if not parts:
        return told
    return all(isinstance(part, Mapping) and "value" not in part and part.keys() & _SCHEMA_WORDS for part in parts.values())


def _unpacked(given: Any, spec: Spec, notes: Notes) -> dict[str, Any] | str:
    """An object, however it was wrapped."""
    for _ in range(4):
        if isinstance(given, str) and not isinstance(given, Word):
            given = _opened(given, spec, notes)
        elif isinstance(given, list) and given and all(isinstance(part, Mapping) and part.keys() in _PAIRED for part in given):
            given = {str(part.get("name", part.get("key"))): part["value"] for part in given}
        elif isinstance(given, list) and len(given) == 1 and isinstance(given[0], Mapping):
            given = given[0]
        elif isinstance(given, Mapping) and (inner := _nested(given, spec)) is not None:
            notes.repaired("arguments nested twice")
            given = inner
        else:
            break
    if given is None or given == [] or given == "":
        return {}
    if isinstance(given, Mapping):
        return {str(key): value for key, value in given.items()}
    known = list(_properties(spec))
    values = given if isinstance(given, list) else [given]
    if (len(known) == 1 and not isinstance(given, list)) or (0 < len(values) <= len(known) and isinstance(given, list)):
        notes.repaired("arguments without names, taken in the order of the schema")
        return dict(zip(known, values, strict=False))
    return "its arguments are no object"


def _opened(text: str, spec: Spec, notes: Notes) -> Any:
    """Arguments that were given as a text."""
    said = text.strip()
    if said.lower() in ("", "null", "none"):
        return {}
    if said[0] in "{[":
        try:
            value = read_value(said, 0, lists_calls=False, patience=notes.patience)
        except Misread:
            return [text] if len(_properties(spec)) == 1 else text
        if not value.torn and not said[value.end :].strip("}] \n\t"):
            notes.repaired("arguments as a text")
            return value.value
    if said[0] == '"' and (inner := _quoted_twice(said)):
        return inner
    return [text] if len(_properties(spec)) == 1 else Word(text)


def _quoted_twice(text: str) -> str:
    """A text that was made JSON once more than it should."""
    try:
        inner = json.loads(text)
    except ValueError:
        return ""
    return inner if isinstance(inner, str) and inner.lstrip()[:1] == "{" else ""


def _nested(given: Mapping[str, Any], spec: Spec) -> Any:
    """What stands in `{"arguments": {…}}` where arguments were due, as long as the tool has no parameter of that name."""
    known = _properties(spec)
    inside = [key for key in given if key in ARGUMENT_KEYS or key == "properties"]
    others = given.keys() - {*inside, *NAME_KEYS, *BESIDE, *(("required", "additionalProperties") if "properties" in given else ())}
    if len(inside) != 1 or others or inside[0] in known or any(key in known for key in given if given[key] != spec.name):
        return None
    return given[inside[0]] if isinstance(given[inside[0]], Mapping | str) else None


# ---------------------------------------------------------------- names and places


def _placed(positional: Sequence[Any], given: dict[str, Any], known: Mapping[str, Any], spec: Spec, notes: Notes) -> dict[str, Any] | str:
    """Values without names: an object is all arguments; else they follow the order of the schema."""
    first = positional[0]
    if len(positional) == 1 and isinstance(first, Mapping) and not given and _is_arguments(first, known):
        notes.repaired("arguments as an object")
        inner = _unpacked(first, spec, notes)
        return inner if isinstance(inner, str) else _spelled(inner, known, notes)
    free = [name for name in known if name not in given]
    required = [name for name in free if name in spec.parameters.get("required", ())]
    order = free if free[: len(required)] == required or len(positional) > len(required) else required
    if len(positional) > len(order):
        return f"{counted(len(positional), 'argument')} too many without a name; name them"
    notes.repaired("arguments without names, taken in the order of the schema")
    return {**_spelled(given, known, notes), **dict(zip(order, positional, strict=False))}


def _is_arguments(given: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    spelled = {folded(name) for name in known}
    return (
        len(known) != 1
        or any(folded(str(key)) in spelled for key in given)
        or _mapping(next(iter(known.values()), None)).get("type") != "object"
    )


def _spelled(given: Mapping[str, Any], known: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """Names of arguments in the spelling of the schema."""
    if given.keys() <= known.keys() or not known:
        return dict(given)
    free: dict[str, list[str]] = {}
    for name in known:
        if name not in given:
            free.setdefault(folded(name), []).append(name)
    spelled: dict[str, Any] = {}
    for key, value in given.items():
        meant = [] if key in known else free.get(folded(key.replace("\\", "")), [])
        if len(meant) == 1 and meant[0] not in spelled:
            notes.repaired(f"argument {key} is {meant[0]}")
            key = meant[0]
        spelled[key] = value
    return spelled


def _properties(spec: Spec) -> Mapping[str, Any]:
    return _mapping(spec.parameters.get("properties"))


def _property(spec: Spec, name: str) -> Mapping[str, Any]:
    return _mapping(_properties(spec).get(name))


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


# ---------------------------------------------------------------- words and tags become values


def _typed(value: Any, schema: Mapping[str, Any], patience: Patience, depth: int = 0) -> Any:
    """A value without quotes, as the schema has it: a number that was left as a sum, a text, or what stands between tags."""
    if isinstance(value, Raw):
        return _between_tags(value, schema, patience)
    if isinstance(value, Word):
        return _worked_out(value, schema)
    if depth > DEEPEST and isinstance(value, (list, dict)):
        raise Misread("too deep")
    if isinstance(value, list):
        patience.spend(len(value) / VALUES_A_STEP)
        items = _mapping(schema.get("items"))
        return [_typed(item, items, patience, depth + 1) for item in value]
    if isinstance(value, dict):
        patience.spend(len(value) / VALUES_A_STEP)
        inner = _mapping(schema.get("properties"))
        return {key: _typed(held, _mapping(inner.get(key)), patience, depth + 1) for key, held in value.items()}
    return value


def _worked_out(word: Word, schema: Mapping[str, Any]) -> Any:
    if "string" in kinds(schema):
        return str(word)
    worth = number(word)
    return str(word) if worth is None else worth


def _between_tags(raw: Raw, schema: Mapping[str, Any], patience: Patience) -> Any:
    """A text where the schema wants one; else the value that it spells."""
    allowed = kinds(schema)
    said = raw.strip()
    if "string" in allowed and not (said == "null" and "null" in allowed):
        return str(raw)
    if said.startswith("<") and "object" in allowed:
        inner, end = pairs(Sheet(said, patience), 0, len(said))
        if inner and end == len(said):
            parts = _mapping(schema.get("properties"))
            return {name: _between_tags(each, _mapping(parts.get(name)), patience) for name, each in inner.items()}
    if allowed or said[:1] in ("{", "["):
        try:
            value = read_value(said, 0, lists_calls=False, patience=patience)
        except Misread:
            return str(raw)
        if value.end >= len(said) and not isinstance(value.value, Spoken):
            return str(raw) if isinstance(value.value, Word) and not allowed & {"number", "integer"} else value.value
    return str(raw)


def kinds(schema: Mapping[str, Any]) -> set[str]:
    """The types that a schema allows; empty when it does not say."""
    said = schema.get("type")
    found = {said} if isinstance(said, str) else set(said) if isinstance(said, list) else set()
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
    return isinstance(value, Spoken) or any(_holds_call(held, depth + 1) for held in inner)

"""Fits arguments to their schema where a value can mean only one thing, and reports every change and every remaining problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmos.calls.complaints import complaints, encode, shown, step
from mmos.calls.converting import NOTHING, alike, choice, folded, listed, number, spelled, structure, truth, whole
from mmos.calls.fitting import DEEPEST, Fit
from mmos.calls.patience import Misread, Patience
from mmos.calls.references import IN_PLACE, resolved
from mmos.calls.spec import Spec

MOST_CHANGES = 20
WORTH = 2_000_000
"""The check of one call's arguments may take as much work as the reading of a text with so many characters."""
CHARACTERS_A_STEP = 10_000
"""Characters of a value that one step can write, for the note of a change."""
TOO_MUCH = "there is too much in the arguments to be checked"
MOST_STRANGERS = 20
"""Unknown names among which misspelt ones are searched."""
MOST_MISSING = 40
"""Missing names that they may mean."""
WRAPPINGS = ("arguments", "parameters", "args", "params", "input", "kwargs", "properties", "tool_input", "tool_arguments")
_BESIDE = frozenset((*WRAPPINGS, "name", "tool", "tool_name", "function", "type", "id"))
_MISSING = object()

Check = Callable[[Mapping[str, Any]], list[str]]
"""The tool's own check. It has its own limit of work."""


@dataclass(frozen=True)
class Coercion:
    """The arguments after the changes that make them fit, the changes, and the remaining problems."""

    arguments: dict[str, Any]
    changes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def coerce(arguments: Any, schema: Mapping[str, Any], check: Check | None = None, patience: Patience | None = None) -> Coercion:
    """Change arguments so that they fit. Those that fit stay unchanged, and no default is filled in. `check` is the tool's own validator, for rare keywords."""
    patience = patience or Patience(WORTH)
    try:
        fit = Fit(schema, patience)
        if isinstance(arguments, Mapping) and fit.value(arguments, schema) and not fit.unsure:
            return Coercion(dict(arguments))
        return _coerced(arguments, schema, check, patience)
    except Misread:
        return Coercion({}, (), (TOO_MUCH,))


def _coerced(arguments: Any, schema: Mapping[str, Any], check: Check | None, patience: Patience) -> Coercion:
    walk = _Walk(schema, patience, len(encode(arguments)))
    inner = walk.unwrapped(arguments)
    if not isinstance(inner, Mapping):
        return Coercion({}, (), (f"the arguments are {shown(arguments)}, not an object",))
    result = dict(walk.value(inner, schema, "", 0))
    return Coercion(result, tuple(walk.changes[:MOST_CHANGES]), tuple(_problems(result, schema, check, patience)))


def _problems(arguments: dict[str, Any], schema: Mapping[str, Any], check: Check | None, patience: Patience) -> list[str]:
    problems = complaints(arguments, schema, patience)
    fit = Fit(schema, patience)
    if problems or (fit.value(arguments, schema) and not fit.unsure):
        return problems
    try:
        return (check or Spec("tool", "", schema).problems)(arguments)
    except RecursionError:
        return ["the arguments are nested too deeply"]


class _Walk:
    """Walks through the arguments. It keeps a change only if the result fits."""

    def __init__(self, root: Mapping[str, Any], patience: Patience, size: int) -> None:
        self._root = root
        self._patience = patience
        self._size = size
        self._wrapping = False
        self.changes: list[str] = []

    def unwrapped(self, arguments: Any) -> Any:
        """The inner arguments, if they are a text or nested in other arguments that contain only the name of the tool besides them."""
        value = structure(arguments) if isinstance(arguments, str) else arguments
        if isinstance(arguments, str) and isinstance(value, Mapping):
            self.changes.append("the arguments were a text")
        known = resolved(self._root, self._root).get("properties", {})
        for _ in range(4):
            if not isinstance(value, Mapping) or not value or any(name in known for name in value) or not value.keys() <= _BESIDE:
                break
            inner = next((value[name] for name in WRAPPINGS if name in value), None)
            inner = structure(inner) if isinstance(inner, str) else inner
            if not isinstance(inner, Mapping):
                break
            value = inner
            self.changes.append("the arguments were nested")
        return value

    def value(self, value: Any, schema: Any, where: str, depth: int) -> Any:
        """The value with the changes that make it fit. Without such changes, the same value."""
        self._patience.spend()
        if depth > DEEPEST or not isinstance(schema, Mapping) or self._fits(value, schema):
            return value
        schema = resolved(schema, self._root)
        if isinstance(value, str) and type(value) is not str:
            value = str(value)
        for word in IN_PLACE:
            if word in schema:
                value = (
                    self._all(value, schema, where, depth) if word == "allOf" else self._either(value, schema[word], schema, where, depth)
                )
        if "enum" in schema or "const" in schema:
            return self._chosen(value, schema.get("enum", [schema.get("const")]), schema, where)
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return self._either(value, [{**schema, "type": kind} for kind in kinds], schema, where, depth)
        kind = kinds if isinstance(kinds, str) else "object" if "properties" in schema else ""
        if kind == "array":
            return self._array(value, schema, where, depth)
        if kind == "object":
            return self._object(value, schema, where, depth)
        make = _PLAIN.get(kind)
        return self._became(value, make(_bare(value)), schema, where) if make else value

    def _quietly(self, value: Any, schema: Any, depth: int) -> Any:
        return _Walk(self._root, self._patience, self._size).value(value, schema, "", depth + 1)

    def _fits(self, value: Any, schema: Any) -> bool:
        return Fit(self._root, self._patience).value(value, schema)

    def _became(self, value: Any, result: Any, schema: Any, where: str) -> Any:
        """The new value if it fits, with a note of the change. If it does not fit, the old value."""
        if result is _MISSING or not self._fits(result, schema):
            return value
        self._patience.spend(1 + self._size / CHARACTERS_A_STEP)
        if len(self.changes) < MOST_CHANGES and shown(value) != shown(result):
            self.changes.append(f"{where or 'the arguments'}: {shown(value)} read as {shown(result)}")
        return result

    # ---------------------------------------------------------------- alternatives and choices

    def _either(self, value: Any, alternatives: list[Any], schema: Mapping[str, Any], where: str, depth: int) -> Any:
        """The value for the alternative that needs the fewest changes."""
        best: tuple[tuple[int, bool], Any, list[str]] | None = None
        for each in alternatives:
            before, self.changes = self.changes, []
            result = self.value(value, each, where, depth + 1)
            changes, self.changes = self.changes, before
            cost = len(changes), _another_kind(value, result)
            if self._fits(result, each) and self._fits(result, schema) and (best is None or cost < best[0]):
                best = cost, result, changes
                if cost == (1, False):
                    break  # nothing is cheaper: without a change it does not fit
        if best is None:
            return value
        self.changes += best[2]
        return best[1]

    def _all(self, value: Any, schema: Mapping[str, Any], where: str, depth: int) -> Any:
        for each in schema["allOf"]:
            value = self.value(value, each, where, depth + 1)
        return value

    def _chosen(self, value: Any, choices: list[Any], schema: Mapping[str, Any], where: str) -> Any:
        found = choice(_bare(value), choices)
        return self._became(value, _MISSING if found is None else found, schema, where)

    # ---------------------------------------------------------------- lists and objects

    def _array(self, value: Any, schema: Mapping[str, Any], where: str, depth: int) -> Any:
        entry = resolved(schema.get("items", {}), self._root)
        if isinstance(value, (tuple, set, frozenset)):
            value = self._became(value, listed(tuple(value)), {"type": "array"}, where)
        elif isinstance(value, str):
            value = self._listed(value, entry, schema, where, depth)
        elif value is not None and not isinstance(value, list) and (entry or not isinstance(value, Mapping)):
            value = self._wrapped(value, entry, schema, where, depth)
        if isinstance(value, list):
            return [self.value(each, entry, f"{where}.{place}", depth + 1) for place, each in enumerate(value)]
        return value

    def _listed(self, text: str, entry: Mapping[str, Any], schema: Mapping[str, Any], where: str, depth: int) -> Any:
        """The list in a text, or the text as its only entry. Commas separate entries only if no entry can contain a comma."""
        found = structure(text)
        if isinstance(found, list):
            return self._became(text, found, {"type": "array"}, where)
        parts = [part.strip() for part in text.split(",")] if "," in text else []
        if parts and (entry.get("type") in ("integer", "number", "boolean") or "enum" in entry):
            items = [self._quietly(part, entry, depth) for part in parts]
            return self._became(text, items, schema, where)
        if found is None and text.strip() and not any(sign in text for sign in ",;\n"):
            return self._wrapped(text, entry, schema, where, depth)
        return text

    def _wrapped(self, value: Any, entry: Mapping[str, Any], schema: Mapping[str, Any], where: str, depth: int) -> Any:
        if self._wrapping:  # one list around a value is enough
            return value
        inner = _Walk(self._root, self._patience, self._size)
        inner._wrapping = True
        return self._became(value, [inner.value(value, entry, "", depth + 1)], schema, where)

    def _object(self, value: Any, schema: Mapping[str, Any], where: str, depth: int) -> Any:
        if isinstance(value, str) and isinstance(found := structure(value), dict):
            value = self._became(value, found, {"type": "object"}, where)
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
            value = self._became(value, value[0], {"type": "object"}, where)
        if not isinstance(value, Mapping):
            return value
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        present = self._present(value, schema, where, depth)
        renamed = self._present(self._renamed(present, known, schema, where), schema, where, depth)
        return {name: self.value(each, known.get(name, more), step(where, name), depth + 1) for name, each in renamed.items()}

    def _present(self, value: Mapping[str, Any], schema: Mapping[str, Any], where: str, depth: int) -> Mapping[str, Any]:
        """The values without optional ones that mean "none"."""
        known, required = schema.get("properties", {}), schema.get("required", ())
        none = [
            name for name, each in value.items() if name in known and name not in required and self._is_nothing(each, known[name], depth)
        ]
        self.changes += [f"{step(where, name)}: {shown(value[name])} left out" for name in none]
        return {name: each for name, each in value.items() if name not in none} if none else value

    def _is_nothing(self, value: Any, part: Any, depth: int) -> bool:
        """Whether an optional value means "none", and does not fit."""
        return (value is None or (isinstance(value, str) and value.strip().lower() in NOTHING)) and not (
            self._fits(value, part) or self._fits(self._quietly(value, part, depth), part)
        )

    def _renamed(self, value: Mapping[str, Any], known: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The same values under the names of the schema. A misspelt name is replaced if it can mean only one other."""
        strangers = [name for name in value if name not in known][:MOST_STRANGERS]
        missing = [name for name in known if name not in value][:MOST_MISSING]
        targets = (
            missing if schema.get("additionalProperties") is False else [name for name in schema.get("required", ()) if name in missing]
        )
        new_names: dict[str, str] = {}
        for judge in (lambda one, two: folded(one) == folded(two), alike):
            for name in strangers:
                matches = [each for each in targets if each not in new_names.values() and judge(str(name), each)]
                rivals = [each for each in strangers if each not in new_names and matches and judge(str(each), matches[0])]
                if name not in new_names and len(matches) == 1 and len(rivals) == 1 and folded(str(name)):
                    new_names[name] = matches[0]
                    self.changes.append(f"{step(where, str(name)[:60])} read as {matches[0]}")
        return {new_names.get(name, name): each for name, each in value.items()}


def _another_kind(value: Any, result: Any) -> bool:
    """Whether the change put a list around a value, or made a text from a number."""
    if isinstance(value, (int, float)):
        return isinstance(result, (str, list))
    return isinstance(result, list) and not isinstance(value, list)


def _bare(value: Any) -> Any:
    """The value in a list with one entry, or in an object with its type: `{"type": "string", "value": "Paris"}`."""
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], (list, Mapping)):
        return value[0]
    if isinstance(value, Mapping) and "value" in value and value.keys() <= {"type", "value", "description", "title"}:
        return value["value"]
    return value


def _or_missing(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        result = make(value)
        return _MISSING if result is None else result

    return convert


_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "number": _or_missing(lambda value: number(value) if isinstance(value, str) else value),
    "integer": _or_missing(whole),
    "boolean": _or_missing(truth),
    "string": _or_missing(spelled),
    "null": lambda value: None if isinstance(value, str) and value.strip().lower() in NOTHING else _MISSING,
}

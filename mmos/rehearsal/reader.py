"""Reads personas from YAML, strictly: each error names the file, the place and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_args

import yaml

from mmos.rehearsal.faults import CRASH
from mmos.rehearsal.personas import (
    Architecture,
    Capability,
    Cast,
    Contradict,
    Leak,
    Model,
    Rule,
    Skill,
    Speed,
    Step,
    Template,
    ToolPath,
    When,
    Whose,
)
from mmos.rehearsal.pieces import BadByte, Call, Cut, Fail, Finish, Loop, Ramble, Raw, Say, Stall, Think
from mmos.rehearsal.profiles import Version, Weights
from mmos.rehearsal.skills import SKILLS

REFUSAL = "I am sorry, but I cannot help with that."


class PersonaError(ValueError):
    """A persona file has an error. The message says where, what was found, and what is allowed."""


def read_cast(path: Path) -> Cast:
    """The personas of a YAML file."""
    return parse_cast(path.read_text(encoding="utf-8"), where=str(path))


def parse_cast(text: str, *, where: str = "personas") -> Cast:
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader that also refuses a key twice
    except yaml.YAMLError as error:
        raise PersonaError(f"{where}: this is not YAML: {error}") from error
    place = _Place(where)
    place.keys(data, ("host", "models"))
    models = [_model(row, place.at(f"models[{number}]")) for number, row in enumerate(place.rows(data, "models"))]
    return Cast(models, _host(place.mapping(data, "host"), place.at("host")))


def _host(data: Mapping[str, Any], place: _Place) -> Mapping[str, Any]:
    place.keys(data, list(TRAITS))
    return {key: TRAITS[key](place.at(key), value) for key, value in data.items()}


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is here twice; keep one of them", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Place:
    """A place in a file. The error of every check names it."""

    def __init__(self, where: str) -> None:
        self.where = where

    def at(self, step: str) -> _Place:
        return _Place(f"{self.where}: {step}" if ": " not in self.where else f"{self.where}.{step}")

    def fail(self, message: str) -> NoReturn:
        raise PersonaError(f"{self.where}: {message}")

    def keys(self, data: Any, allowed: Sequence[str]) -> None:
        if not isinstance(data, Mapping):
            self.fail(f"expected a mapping with {_listed(allowed)}, found {_kind(data)}")
        for key in data:
            if key not in allowed:
                near = difflib.get_close_matches(str(key), allowed, 1)
                self.fail(f"unknown key {key!r}{f', did you mean {near[0]!r}?' if near else ''}; allowed: {_listed(allowed)}")

    def rows(self, data: Mapping[str, Any], key: str) -> Sequence[Any]:
        value = data.get(key, [])
        if not isinstance(value, list):
            self.at(key).fail(f"expected a list, found {_kind(value)}")
        return value

    def mapping(self, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = data.get(key) or {}
        if not isinstance(value, Mapping):
            self.at(key).fail(f"expected a mapping, found {_kind(value)}")
        return value

    def typed(self, value: Any, kind: type | tuple[type, ...], expected: str) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fail(f"expected {expected}, found {_kind(value)}")
        return value

    def text(self, value: Any) -> str:
        return str(self.typed(value, str, "a text"))

    def whole(self, value: Any) -> int:
        return int(self.typed(value, int, "a whole number"))

    def number(self, value: Any) -> float:
        value = self.typed(value, (int, float), "a number")
        return float(value) if value > 0 else self.fail(f"expected a number above 0, found {value}")

    def flag(self, value: Any) -> bool:
        return bool(self.typed(value, bool, "true or false"))

    def texts(self, value: Any) -> Sequence[str]:
        rows = value if isinstance(value, list) else [value]
        return tuple(self.text(row) for row in rows)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)


def _kind(value: Any) -> str:
    return {dict: "a mapping", list: "a list", str: f"the text {value!r}", type(None): "nothing"}.get(type(value), repr(value))


def _one_of(*allowed: str) -> Callable[[_Place, Any], str]:
    def read(place: _Place, value: Any) -> str:
        return str(value) if value in allowed else place.fail(f"expected one of {_listed(allowed)}, found {_kind(value)}")

    return read


def _numbers(place: _Place, value: Any) -> Sequence[float]:
    return [place.number(row) for row in place.typed(value, list, "a list of numbers")]


def _options(place: _Place, value: Any) -> Mapping[str, Any]:
    return dict(place.typed(value, dict, "a mapping"))


TRAITS: Mapping[str, Callable[[_Place, Any], Any]] = {
    "vram_gb": _Place.number,
    "gpus": _numbers,
    "parallel": _Place.whole,
    "profile": _one_of(*get_args(Version)),
    "max_loaded": _Place.whole,
    "max_queue": _Place.whole,
    "keep_alive": _Place.number,
    "disk_gbps": _Place.number,
    "speed_factor": _Place.number,
    "swap_seconds": _Place.number,
}


# ---------------------------------------------------------------- a model


def _model(row: Any, place: _Place) -> Model:
    place.keys(row, [*CARD, "speed", "architecture", "rules"])
    if "name" not in row:
        place.fail("a model needs a name")
    card = {key: CARD[key](place.at(key), value) for key, value in row.items() if key in CARD}
    rules = [_rule(rule, place.at(f"rules[{number}]")) for number, rule in enumerate(place.rows(row, "rules"))]
    return Model(
        **card,
        speed=_figures(Speed, place.mapping(row, "speed"), place.at("speed"), _Place.number),
        architecture=_figures(Architecture, place.mapping(row, "architecture"), place.at("architecture"), _Place.whole),
        rules=tuple(rules),
    )


def _figures(kind: type[Any], data: Mapping[str, Any], place: _Place, read: Callable[[_Place, Any], Any]) -> Any:
    place.keys(data, [field.name for field in fields(kind)])
    return kind(**{key: read(place.at(key), value) for key, value in data.items()})


def _capabilities(place: _Place, value: Any) -> Sequence[str]:
    allowed = get_args(Capability)
    for name in place.texts(value):
        if name not in allowed:
            place.fail(f"unknown capability {name!r}; allowed: {_listed(allowed)}")
    return place.texts(value)


CARD: Mapping[str, Callable[[_Place, Any], Any]] = {
    "name": _Place.text,
    "family": _Place.text,
    "parameter_size": _Place.text,
    "quantization": _Place.text,
    "size": _Place.whole,
    "context_length": _Place.whole,
    "capabilities": _capabilities,
    "default": _Place.text,
    "signature": _Place.text,
    "named_tools": _Place.flag,
    "path": _one_of(*get_args(ToolPath)),
    "tag": _Place.text,
    "template": _one_of(*get_args(Template)),
    "special_escape": _Place.flag,
    "strict_turns": _Place.flag,
    "think_levels": _Place.flag,
    "system": _Place.text,
    "parameters": _options,
    "blob": _Place.text,
    "broken": _one_of(*get_args(Weights)),
}


# ---------------------------------------------------------------- a rule


def _rule(row: Any, place: _Place) -> Rule:
    place.keys(row, ("when", "do"))
    when = place.mapping(row, "when")
    place.at("when").keys(when, list(CONDITIONS))
    steps = row.get("do")
    steps = steps if isinstance(steps, list) else [steps]
    conditions = {key: CONDITIONS[key](place.at("when").at(key), value) for key, value in when.items()}
    return Rule(When(**conditions), tuple(_step(step, place.at(f"do[{number}]")) for number, step in enumerate(steps)))


def _pattern(place: _Place, value: Any) -> re.Pattern[str]:
    try:
        return re.compile(place.text(value), re.IGNORECASE | re.MULTILINE)
    except re.error as error:
        place.fail(f"this is not a regular expression: {error}")


def _tools_offered(place: _Place, value: Any) -> bool | Sequence[str]:
    return value if isinstance(value, bool) else place.texts(value)


CONDITIONS: Mapping[str, Callable[[_Place, Any], Any]] = {
    "last_role": _one_of("system", "user", "assistant", "tool"),
    "user_matches": _pattern,
    "user_contains": _Place.texts,
    "system_contains": _Place.texts,
    "tools_offered": _tools_offered,
    "arbiter": _Place.flag,
    "after_results": _Place.flag,
    "results": _Place.whole,
    "result_contains": _Place.texts,
    "format": _Place.flag,
    "turn": _Place.whole,
}


def _step(step: Any, place: _Place) -> Step:
    """One step of `do`: a mapping with one key, or only the key if it needs no value."""
    data = {step: None} if isinstance(step, str) else step
    place.keys(data, list(STEPS))
    if len(data) != 1:
        place.fail(f"expected one of {_listed(list(STEPS))}, found {len(data)} keys")
    [(key, value)] = data.items()
    return STEPS[key](place.at(key), value)


def _call(place: _Place, value: Any) -> Call:
    place.keys(value, ("tool", "arguments"))
    return Call(place.text(value.get("tool")), dict(place.mapping(value, "arguments")))


def _leak(place: _Place, value: Any) -> Leak:
    place.keys(value, ("tool", "arguments", "style"))
    style: Any = _one_of("fence", "bare", "tagged")(place.at("style"), value.get("style", "fence"))
    return Leak(_call(place, {key: part for key, part in value.items() if key != "style"}), style)


def _skill(place: _Place, value: Any) -> Skill:
    return Skill(value) if value in SKILLS else place.fail(f"unknown skill {value!r}; allowed: {_listed(list(SKILLS))}")


def _contradict(place: _Place, value: Any) -> Contradict:
    if value is None or isinstance(value, str):
        return Contradict(value)
    place.keys(value, ("of",))
    return Contradict(of=_one_of(*get_args(Whose))(place.at("of"), value.get("of")))  # type: ignore[arg-type]  # it is one of these


def _time_out(place: _Place, value: Any) -> Stall:
    if value is None or not isinstance(value, Mapping):
        return Stall(None if value is None else place.number(value))
    place.keys(value, ("seconds", "after"))
    seconds, after = value.get("seconds"), place.at("after").whole(value.get("after", 0))
    if after < 0:
        place.at("after").fail(f"expected a number of tokens, found {after}")
    return Stall(None if seconds is None else place.at("seconds").number(seconds), after)


STEPS: Mapping[str, Callable[[_Place, Any], Step]] = {
    "say": lambda place, value: Say(place.text(value)),
    "think": lambda place, value: Think(place.text(value)),
    "call": _call,
    "refuse": lambda place, value: Say(REFUSAL if value is None else place.text(value)),
    "leak": _leak,
    "loop": lambda place, value: Loop(place.text(value)),
    "ramble": lambda place, value: Ramble(place.whole(value)),
    "empty": lambda *_: Say(""),
    "done_reason": lambda place, value: Finish(_one_of("stop", "length")(place, value)),
    "cut": lambda *_: Cut(),
    "skill": _skill,
    "raw": lambda place, value: Raw(place.text(value)),
    "bad_byte": lambda *_: BadByte(),
    "fail": lambda place, value: Fail(CRASH if value is None else place.text(value)),
    "contradict": _contradict,
    "time_out": _time_out,
}

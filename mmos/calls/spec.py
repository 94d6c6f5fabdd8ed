"""Describes a tool for models, and checks arguments against the description."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from mmos.calls.checking import Checker

_TEXT = {str}
_PLAIN = {"type", "properties", "required", "additionalProperties", "description"}


@dataclass(frozen=True)
class Spec:
    """Name, purpose and parameters (JSON Schema) of a tool."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})

    @cached_property
    def _checker(self) -> Checker:
        return Checker(self.parameters)

    def problems(self, arguments: Mapping[str, Any]) -> list[str]:
        """The problems of these arguments, in sentences for the model. Empty: they fit."""
        return [] if self._plainly_fits(arguments) else self._checker.problems(arguments)

    def _plainly_fits(self, arguments: Mapping[str, Any]) -> bool:
        """Whether the arguments fit, without the validator: nearly every call has only a few texts."""
        names = self._texts
        return (
            names is not None
            and arguments.keys() <= names
            and self._required <= arguments.keys()
            and set(map(type, arguments.values())) <= _TEXT
        )

    @cached_property
    def _texts(self) -> frozenset[str] | None:
        """The names of all parameters, if each may be any text and the schema has no other conditions."""
        properties = self.parameters.get("properties", {})
        plain = self.parameters.keys() <= _PLAIN and all(
            part.keys() <= _PLAIN and part.get("type") == "string" for part in properties.values()
        )
        return frozenset(properties) if plain else None

    @cached_property
    def _required(self) -> frozenset[str]:
        return frozenset(self.parameters.get("required", ()))

    def offer(self) -> dict[str, Any]:
        """The tool in the form of `/api/chat`."""
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": self.parameters}}


def encode_offer(specs: Iterable[Spec]) -> bytes:
    """The JSON list of offered tools. The same tools give the same bytes."""
    return orjson.dumps([spec.offer() for spec in specs])

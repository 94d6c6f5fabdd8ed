"""Resolves the keys of `models` where a role or a run names a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmos.config.models_schema import Model
from mmos.config.patterns_schema import PatternMember
from mmos.config.schema import Role
from mmos.names import canonical

Entries = Mapping[str, Model]


class Named(NamedTuple):
    """A model as a role or a run names it."""

    model: str
    entry: Model | None = None
    """What `models` says of it, if it is named by its key."""
    pattern: str = ""
    """The pattern that it acts for."""

    def window(self, role: Role) -> int | None:
        return role.context_window or (self.entry.context_window if self.entry else None)

    def options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options of a role, with those of the model below them."""
        if self.entry is None:
            return options
        longest = {} if self.entry.max_tokens is None else {"num_predict": self.entry.max_tokens}
        return {**longest, **self.entry.options, **options}

    def options_of(self, member: PatternMember) -> Mapping[str, Any]:
        """The options of a member of a pattern: its own, then those of the model, then what members have otherwise."""
        usual = {"temperature": member.temperature, "num_predict": member.max_tokens}
        names = {"temperature": "temperature", "max_tokens": "num_predict"}
        return {**usual, **self.options({option: usual[option] for name, option in names.items() if name in member.model_fields_set})}

    def think(self, think: bool | str | None) -> bool | str | None:
        return think if think is not None or self.entry is None else self.entry.think

    @property
    def calls_at_once(self) -> int | None:
        return self.entry.calls_at_once if self.entry else None

    def values(self, role: Role) -> dict[str, Any]:
        """What a role has of this model, if it is not its first one."""
        return {
            "options": self.options(role.options),
            "think": self.think(role.think),
            "calls_at_once": self.calls_at_once,
            "pattern": self.pattern,
        }


def named(spellings: str | Sequence[str], entries: Entries) -> tuple[Named, ...]:
    """The models behind these names and keys, in their order. Of several spellings of one model, the first."""
    first: dict[str, Named] = {}
    for spelling in [spellings] if isinstance(spellings, str) else spellings:
        entry = entries.get(spelling)
        one = Named(entry.model, entry) if entry else Named(spelling)
        first.setdefault(canonical(one.model), one)
    return tuple(first.values())


def sizes_of(entries: Entries) -> dict[str, float]:
    """The gigabytes that models take by the word of the user, by their canonical names."""
    return {canonical(entry.model): entry.memory_usage for entry in entries.values() if entry.memory_usage is not None}

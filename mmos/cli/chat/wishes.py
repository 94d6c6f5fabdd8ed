"""Holds what the user has set for this session: other models, limits, model options, instructions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.app import RunOptions


@dataclass
class Wishes:
    """Settings that hold from the next turn to the end of the session."""

    system: str = ""
    limits: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    sampling: dict[str, Any] = field(default_factory=dict)

    model: str = ""
    """A model that answers alone, without roles."""

    def options(self, role: str = "") -> RunOptions:
        """Give the options of the next turn. With `role`, that role answers alone."""
        from mmos.app import RunOptions

        alone: dict[str, Any] = {"model": self.model} if self.model else {"role_only": role}
        return RunOptions(**self.limits, system=self.system, roles=dict(self.roles) or None, sampling=dict(self.sampling) or None, **alone)

    def copy(self) -> Wishes:
        return Wishes(self.system, dict(self.limits), dict(self.roles), dict(self.sampling), self.model)

    def set(self, key: str, value: str, roles: Collection[str]) -> None:
        """Set one value. An empty value removes it."""
        from mmos.config.settings import setting_value

        place, name = self._place(key, roles)
        if not value:
            place.pop(name, None)
        else:
            place[name] = value if place is self.roles else setting_value(name, value)

    def told(self) -> list[tuple[str, str]]:
        """List all values that are set."""
        shown = [(name.replace("_", "-"), f"{value:g} s" if name == "timeout" else str(value)) for name, value in self.limits.items()]
        shown += [*self.roles.items(), *((name, str(value)) for name, value in self.sampling.items())]
        return [*shown, ("system", self.system)] if self.system else shown

    def _place(self, key: str, roles: Collection[str]) -> tuple[dict[str, Any], str]:
        """Find where a setting is kept, and its name there."""
        from mmos.config.settings import LIMITS, OPTIONS
        from mmos.config.wording import perhaps

        name = key.strip().replace("-", "_")
        role, _, option = name.rpartition(".")
        if name in LIMITS:
            return self.limits, name
        if name in roles:
            return self.roles, name
        if option in OPTIONS and (not role or role in roles):
            return self.sampling, name
        raise UsageError(
            f"There is no setting {key!r}{perhaps(key, known := names(roles)) or '.'}",
            next_step=f"Settings: {', '.join(known)}, and ROLE.OPTION for one role.",
        )


def names(roles: Iterable[str]) -> list[str]:
    """List the names of all settings, as users type them."""
    from mmos.config.settings import LIMITS, OPTIONS

    return [*(name.replace("_", "-") for name in LIMITS), *roles, *OPTIONS]

"""What the user has set for this session: other models, limits, options of models, more instructions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.app import RunOptions


@dataclass
class Wishes:
    """They hold until the session ends, and count from the next turn on."""

    system: str = ""
    limits: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    sampling: dict[str, Any] = field(default_factory=dict)

    model: str = ""
    """One that answers without any role."""

    def options(self, role: str = "") -> RunOptions:
        """Those of the next turn; with a role, that one alone answers."""
        from mmos.app import RunOptions

        alone: dict[str, Any] = {"model": self.model} if self.model else {"role_only": role}
        return RunOptions(**self.limits, system=self.system, roles=dict(self.roles) or None, sampling=dict(self.sampling) or None, **alone)

    def copy(self) -> Wishes:
        return Wishes(self.system, dict(self.limits), dict(self.roles), dict(self.sampling), self.model)

    def set(self, key: str, value: str, roles: Collection[str]) -> None:
        """Set one thing; an empty value takes it back."""
        from mmos.config.settings import checked

        place, name = self._place(key, roles)
        if not value:
            place.pop(name, None)
        else:
            place[name] = value if place is self.roles else checked(name, value)

    def told(self) -> list[tuple[str, str]]:
        """All that is set."""
        shown = [(name.replace("_", "-"), f"{value:g} s" if name == "timeout" else str(value)) for name, value in self.limits.items()]
        shown += [*self.roles.items(), *((name, str(value)) for name, value in self.sampling.items())]
        return [*shown, ("system", self.system)] if self.system else shown

    def _place(self, key: str, roles: Collection[str]) -> tuple[dict[str, Any], str]:
        """Where a setting belongs, and its name there."""
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
            f"There is nothing called {key!r} to be set{perhaps(key, known := names(roles)) or '.'}",
            next_step=f"There are: {', '.join(known)}, and ROLE.OPTION for one role.",
        )


def names(roles: Iterable[str]) -> list[str]:
    """Everything that can be set, as one types it."""
    from mmos.config.settings import LIMITS, OPTIONS

    return [*(name.replace("_", "-") for name in LIMITS), *roles, *OPTIONS]

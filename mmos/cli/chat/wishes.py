"""What the user has set for this session: other models, limits, options of models, more instructions."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.app import RunOptions

Value = float | int | str | bool


@dataclass
class Wishes:
    """They hold until the session ends, and count from the next turn on."""

    system: str = ""
    limits: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    sampling: dict[str, Value] = field(default_factory=dict)

    def options(self) -> RunOptions:
        from mmos.app import RunOptions

        return RunOptions(**self.limits, system=self.system, roles=dict(self.roles) or None, sampling=dict(self.sampling) or None)

    def copy(self) -> Wishes:
        return Wishes(self.system, dict(self.limits), dict(self.roles), dict(self.sampling))

    def set(self, key: str, value: str, roles: Collection[str]) -> None:
        """Set one thing; an empty value takes it back."""
        key = key.strip()
        place = self._place(key, roles)
        if not value:
            place.pop(_limit(key), None)
        elif place is self.limits:
            place[_limit(key)] = LIMITS[_limit(key)](value)
        else:
            place[key] = value if place is self.roles else _value(value)

    def told(self) -> list[tuple[str, str]]:
        """All that is set."""
        shown = [(name.replace("_", "-"), str(value)) for name, value in self.limits.items()]
        shown += [*self.roles.items(), *((name, str(value)) for name, value in self.sampling.items())]
        return [*shown, ("system", self.system)] if self.system else shown

    def _place(self, key: str, roles: Collection[str]) -> dict[str, Any]:
        if _limit(key) in LIMITS:
            return self.limits
        if key in roles:
            return self.roles
        role, _, option = key.rpartition(".")
        if option in OPTIONS and (not role or role in roles):
            return self.sampling
        from mmos.config.wording import perhaps

        known = [*(name.replace("_", "-") for name in LIMITS), *roles, *OPTIONS]
        raise UsageError(
            f"There is nothing called {key!r} to be set{perhaps(key, known) or '.'}",
            next_step=f"There are: {', '.join(known)}, and ROLE.OPTION for one role.",
        )


def _limit(key: str) -> str:
    return key.replace("-", "_")


def _seconds(text: str) -> float:
    return _number(text, float, 0.0)


def _count(text: str) -> int:
    return int(_number(text, int, 0))


def _number(text: str, kind: Callable[[str], float], above: float) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = above
    if not above < number < float("inf"):
        raise UsageError(f"{text!r} is not a number above {above:g}.")
    return number


def _policy(text: str) -> str:
    if text not in ("ask", "fail", "default", "wait"):
        raise UsageError(f"{text!r} is none of ask, fail, default, wait.")
    return text


def _value(text: str) -> Value:
    """An option's value as the host wants it: a number where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text == "true" if text in ("true", "false") else text


LIMITS: dict[str, Callable[[str], Any]] = {"timeout": _seconds, "max_turns": _count, "max_calls": _count, "on_question": _policy}
OPTIONS = ("temperature", "top_p", "top_k", "min_p", "seed", "num_predict", "repeat_penalty")

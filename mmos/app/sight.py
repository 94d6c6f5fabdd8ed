"""Checks, before a run begins, that a model can see the attached images."""

from __future__ import annotations

from collections.abc import Iterable

from mmos.errors import UsageError
from mmos.fleet.fleet import Fleet
from mmos.messages import File
from mmos.participant.cast import Cast
from mmos.participant.eyes import sees


async def check_sight(fleet: Fleet, cast: Cast, role: str, files: Iterable[File]) -> None:
    """Raise if neither this role nor any role that it can consult has a model that sees images."""
    images = [file.name for file in files if file.image]
    if not images:
        return
    roles = [choice.role for name in (role, *cast[role].consults) for choice in cast[name].choices]
    for one in roles:
        if await sees(fleet, one) is not False:
            return
    names = ", ".join(f"{one.name} ({one.model})" for one in roles)
    able = await _models_with_vision(fleet)
    raise UsageError(
        f"None of these roles has a model that can see images, such as {', '.join(images)}: {names}.",
        next_step=f"These models can: {able}. Choose one with --role ROLE=MODEL@HOST or --model MODEL@HOST."
        if able
        else "Fetch a model whose capabilities list `vision`, and give it a role.",
    )


async def _models_with_vision(fleet: Fleet) -> str:
    """The models of the fleet that can see images, each with its hosts."""
    await fleet.census()
    hosts: dict[str, list[str]] = {}
    for seat in fleet.seats:
        for name in sorted(model.name for model in (seat.installed or {}).values()):
            details = await fleet.describe(name, (seat.name,))
            if details is not None and "vision" in (details.capabilities or ()):
                hosts.setdefault(name, []).append(seat.name)
    return ", ".join(f"{name} on {' and '.join(names)}" for name, names in hosts.items())

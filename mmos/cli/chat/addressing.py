"""Finds which role a line addresses: `@coding TASK` goes to that role alone, any other line to the arbiter."""

from __future__ import annotations

import re
from collections.abc import Collection

from mmos.errors import UsageError

_NAMED = re.compile(r"@([A-Za-z_][\w-]*)[:,]?(?:[ \t].*)?", re.DOTALL)
"""Matches what looks like a role's name, but neither an e-mail address nor a line of code that continues directly after the name."""


def addressed(line: str, roles: Collection[str]) -> tuple[str, str]:
    """Split the line into the role that it begins with and the rest. The role is empty if the line names none."""
    if not line.startswith("@"):
        return "", line
    first, *rest = line[1:].split(None, 1) or [""]
    name = first.rstrip(":,") if first not in roles else first
    if name in roles:
        if not rest:
            raise UsageError(f"There is no task for {name}.", next_step=f"Write the task on the same line: @{name} TASK")
        return name, rest[0]
    if found := _NAMED.fullmatch(line):
        from mmos.config.wording import perhaps

        raise UsageError(
            f"There is no role {found[1]!r}{perhaps(found[1], roles) or '.'}",
            next_step=f"Roles: {', '.join(roles)}. To send a text that begins with @, put a space before it.",
        )
    return "", line

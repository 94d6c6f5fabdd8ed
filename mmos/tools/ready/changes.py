"""Shows what a change makes of a file, as the user reads it before the approval."""

from __future__ import annotations

from difflib import unified_diff

from mmos.config.wording import shown
from mmos.plurals import counted
from mmos.tools.ready.texts import lines_of

MOST_LINES = 120
MOST_SIGNS = 400
"""Characters of a line that are shown."""
_MOST_COMPARED = 4_000
"""Lines of both texts. More take too long to compare."""


def diff(old: str | None, new: str, path: str) -> str:
    """The lines that change. No sign of a text can pose as a line of MMOS: each line begins with what happens to it."""
    before, after = lines_of(old or ""), lines_of(new)
    if old is None:
        head = f"  new file {shown(path)}, {counted(len(after), 'line')}:"
    elif len(before) + len(after) > _MOST_COMPARED:
        return f"  {shown(path)}: {counted(len(before), 'line')} before, {len(after)} after. The change is too large to show."
    else:
        head = f"  {shown(path)}:"
    changes = [*unified_diff(before, after, lineterm="", n=2)][2:]  # without the two names
    lines = [f"    {shown(line, MOST_SIGNS)}" for line in changes[:MOST_LINES]]
    more = [f"    … and {counted(len(changes) - MOST_LINES, 'more line')}"] if len(changes) > MOST_LINES else []
    return "\n".join([head, *(lines or ["    (no line changes)"]), *more])

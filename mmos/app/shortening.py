"""The part of the app that makes conversations shorter on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmos.app.lifecycle import RunOptions

if TYPE_CHECKING:
    from mmos.app.compacting import Compaction, Home


class Shortening:
    """Makes conversations shorter."""

    async def compact(self: Home, thread: str, *, options: RunOptions | None = None) -> Compaction:
        """Have all exchanges of a conversation but the newest summarised, so that its next prompts are shorter. Your own words stay in them.

        Example::

            done = await app.compact("build")
            print(f"{done.before} tokens before, {done.after} now")
        """
        from mmos.app.compacting import compact  # few conversations need it

        return await compact(self, thread, options or RunOptions())

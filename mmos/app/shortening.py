"""The part of the app that makes conversations shorter on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mmos.app.lifecycle import RunOptions

if TYPE_CHECKING:
    from mmos.app.app import App
    from mmos.app.compacting import Compaction


class Shortening:
    """Makes conversations shorter."""

    async def compact(self, thread: str, *, options: RunOptions | None = None) -> Compaction:
        """Have all exchanges of a conversation but the newest summarised, so that its next prompts are shorter. Your own words stay in them.

        Example::

            done = await app.compact("build")
            print(f"{done.before} tokens before, {done.after} now")
        """
        from mmos.app.compacting import compact  # few conversations need it

        return await compact(cast("App", self), thread, options or RunOptions())

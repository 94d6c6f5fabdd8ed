"""The table of windows: how many tokens each model sees on each host."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mmos.names import canonical

DEFAULT_WINDOW = 8192
LOAD_OPTIONS = frozenset({"num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread"})
"""Options that a host loads a model with, besides the window. With others, it loads the model again."""
_ANYWHERE = ""


def load_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that a host loads a model with."""
    return {name: options[name] for name in LOAD_OPTIONS & options.keys()} if options else {}


@dataclass(frozen=True)
class Use:
    """A model, the hosts where it may run (none: any), and the window that it should have there."""

    model: str
    servers: Collection[str]
    window: int | None


class Windows:
    """One model has one window on one host: the largest that any of its uses asks for. With another one, the host would load the model again.

    A use has the same window on all of its hosts, so uses of one model that share a host have one window on the hosts of both.
    """

    def __init__(self, uses: Collection[Use]) -> None:
        self._table: dict[str, dict[str, int]] = {canonical(use.model): {} for use in uses}
        for use in uses:
            if not use.servers:  # it may meet every other use of its model
                self._table[canonical(use.model)][_ANYWHERE] = 0
        while sum(self._widened(use) for use in uses):  # not any: a pass over all of them, until nothing changes
            pass

    def _widened(self, use: Use) -> bool:
        row = self._table[canonical(use.model)]
        hosts = [_ANYWHERE] if _ANYWHERE in row else use.servers
        widest = max([use.window or 0, *(row.get(host, 0) for host in hosts)])
        changed = [host for host in hosts if row.get(host) != widest]
        row |= dict.fromkeys(changed, widest)
        return bool(changed)

    def known(self, model: str, servers: Collection[str] = ()) -> int | None:
        """The window of a model, under any spelling, on these servers or on any. None: nothing uses it there."""
        row = self._table.get(canonical(model), {})
        hosts = row if _ANYWHERE in row or not servers else servers
        found = [row[host] for host in hosts if host in row]
        return (max(found) or DEFAULT_WINDOW) if found else None

    def of(self, model: str, servers: Collection[str] = ()) -> int:
        """The same with the default window for a model that nothing uses there. Ask it for a participant that no role describes."""
        return self.known(model, servers) or DEFAULT_WINDOW

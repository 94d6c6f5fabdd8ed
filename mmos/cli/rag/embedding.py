"""Makes the vectors of a collection, and says what they are worth. The fleet is opened when one of its models is wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options
from mmos.cli.output import whole_seconds
from mmos.cli.rag.opening import place_for
from mmos.cli.rag.progress import Progress
from mmos.cli.text import flat
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.library.library import Embedded, Library
    from mmos.library.passages import Embedder
MINILM = "minilm"
"""The model that runs in this process, also in a rehearsal."""
NOT_REHEARSED = "A rehearsed model makes no vectors: they would mean nothing, and they would stay in your collection. Leave out --rehearse, or name minilm."


@dataclass
class LateFleet:
    """An embedding model of the fleet. Only its first use opens the fleet."""

    options: Options
    stack: AsyncExitStack
    model: str
    _found: list[Embedder] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        from mmos.app.embedding import SECONDS

        return SECONDS

    async def digest(self) -> str:
        return await (await self._embedder()).digest()

    async def embed(self, texts: Sequence[str], *, question: bool = False) -> list[list[float]]:
        return await (await self._embedder()).embed(texts, question=question)

    async def _embedder(self) -> Embedder:
        if not self._found:
            from mmos.app.embedding import embedder_of
            from mmos.cli.fleet import fleet_of

            config, fleet = await self.stack.enter_async_context(fleet_of(self.options))
            self._found.append(embedder_of(fleet, config.orchestration.rag, self.model))
        return self._found[0]


@asynccontextmanager
async def library_with_hosts(options: Options) -> AsyncIterator[Library]:
    """The library, which asks hosts for vectors if a collection has some of their models. What is in the way of that is told once."""
    from mmos.library.library import Library, local

    known: dict[str, Embedder] = {}
    async with AsyncExitStack() as stack:

        def embedder(model: str) -> Embedder:
            if model not in known:
                known[model] = local(model) or LateFleet(options, stack, model)
            return known[model]

        yield Library(
            place_for(options),
            embedder=embedder,
            on_trouble=lambda text: click.echo(f"mmos: {flat(text)}", err=True),
        )


async def embed(library: Library, collection: str, model: str, *, anew: bool = False) -> Embedded:
    """Make them, with the progress on stderr."""
    progress = Progress("piece", f"making vectors with {flat(model)}" if model else "making vectors")
    async with progress.alive():
        return await library.embed(collection, model, anew=anew, on_step=lambda at: progress.at(at.done, at.all))


def told(found: Embedded) -> str:
    made = f"{counted(found.pieces, 'piece')} got vectors of {flat(found.model)} in {whole_seconds(found.seconds)}"
    if found.weight:
        return f"{made}. They count {found.weight:g} beside words."
    return f"{made}. They hardly tell the texts of this collection apart, so words alone are searched."

"""Makes vectors on the hosts of the fleet, for the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmos.config.library_schema import Rag
from mmos.errors import UsageError
from mmos.fleet.fleet import Fleet
from mmos.library.library import local
from mmos.library.passages import Embedder

FORMS: tuple[tuple[str, str, str], ...] = (
    ("nomic-embed", "search_query: ", "search_document: "),
    ("embeddinggemma", "task: search result | query: ", "title: none | text: "),
    ("mxbai-embed", "Represent this sentence for searching relevant passages: ", ""),
    ("snowflake-arctic-embed", "Represent this sentence for searching relevant passages: ", ""),
    ("qwen3-embedding", "Instruct: Given a question, retrieve passages that answer it\nQuery: ", ""),
    ("bge-", "Represent this sentence for searching relevant passages: ", ""),
)
"""What models were trained to read before a question and before a text, by a part of their names."""
SECONDS = 5.0
"""How long a question waits for its vector."""


@dataclass(frozen=True)
class FleetEmbedder:
    """An embedding model of the fleet."""

    fleet: Fleet
    model: str
    servers: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return SECONDS

    async def digest(self) -> str:
        """That of the first host that has the model. Two hosts with other weights under one name cannot both be used."""
        found = [one for one in (await self.fleet.digests(self.model, self.servers)).values() if one]
        if not found:
            raise UsageError(
                f"No host has the embedding model {self.model}.",
                next_step=f"Pull it: mmos models pull {self.model}. Or use the small one of this process: minilm.",
            )
        return found[0]

    async def embed(self, texts: Sequence[str], *, question: bool = False) -> list[list[float]]:
        before = next((forms[not question] for name, *forms in FORMS if name in self.model.lower()), "")
        return await self.fleet.embed(self.model, [f"{before}{text}" for text in texts])


def embedder_of(fleet: Fleet, rag: Rag, model: str) -> Embedder:
    """What makes the vectors of a model: this process for `minilm`, else the fleet."""
    return local(model) or FleetEmbedder(fleet, model, (rag.embedding_server,) if rag.embedding_server else ())


async def is_there(fleet: Fleet, model: str) -> bool:
    """Whether a host has this model."""
    return any((await fleet.digests(model, ())).values())

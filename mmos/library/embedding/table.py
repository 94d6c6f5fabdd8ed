"""Keeps the vectors of a collection in LanceDB, by the digests of the texts that they were made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from mmos.library import faults
from mmos.library.rows import key_field, quoted
from mmos.library.store import Store

VECTORS = ".vectors"
_MOST = 1_000


class VectorTable:
    """For each text the vectors of its windows, in half precision."""

    def __init__(self, store: Store, collection: str) -> None:
        self._store, self._name = store, f"{collection}{VECTORS}"
        self._table: Any = None

    async def _there(self) -> Any:
        """The table. None: no vectors were made yet."""
        if self._table is None:
            database = await self._store.database()
            with faults.told(self._store.place):
                if self._name in (await database.list_tables()).tables:
                    self._table = await database.open_table(self._name)
        return self._table

    async def made(self) -> Any:
        import pyarrow as pa

        if await self._there() is None:
            database = await self._store.database()
            schema = pa.schema([key_field("content"), pa.field("windows", pa.int32()), pa.field("vectors", pa.binary())])
            with faults.told(self._store.place):
                self._table = await database.create_table(self._name, schema=schema, exist_ok=True)
        return self._table

    async def of(self, contents: Collection[str]) -> dict[str, Any]:
        """The vectors of some texts, each as an array with a row for each window."""
        import numpy as np

        table = await self._there()
        if table is None or not contents:
            return {}
        wanted = f"content IN ({', '.join(map(quoted, contents))})"
        with faults.told(self._store.place):
            rows = await table.query().where(wanted).select(["content", "windows", "vectors"]).to_list()
        return {
            row["content"]: np.frombuffer(row["vectors"], np.float16).reshape(row["windows"], -1).astype(np.float32)
            for row in rows
            if row["windows"]
        }

    async def known(self) -> set[str]:
        """The digests of all texts that have vectors."""
        table = await self._there()
        if table is None:
            return set()
        with faults.told(self._store.place):
            return {row["content"] for row in await table.query().select(["content"]).to_list()}

    async def keep(self, found: Mapping[str, Sequence[Sequence[float]]]) -> None:
        import numpy as np
        import pyarrow as pa

        table = await self.made()
        rows = [
            {"content": content, "windows": len(some), "vectors": np.asarray(some, np.float16).tobytes()} for content, some in found.items()
        ]
        with faults.told(self._store.place):
            merge = table.merge_insert("content").when_matched_update_all().when_not_matched_insert_all()
            await merge.execute(pa.Table.from_pylist(rows, schema=await table.schema()))

    async def remove(self, contents: Sequence[str]) -> None:
        table = await self._there()
        for start in range(0, len(contents) if table is not None else 0, _MOST):
            with faults.told(self._store.place):
                await table.delete(f"content IN ({', '.join(map(quoted, contents[start : start + _MOST]))})")

    async def forget(self) -> None:
        """Delete all of them."""
        if await self._there() is not None:
            database, self._table = await self._store.database(), None
            with faults.told(self._store.place):
                await database.drop_table(self._name, ignore_missing=True)

    async def upkeep(self) -> None:
        from lancedb.index import BTree

        table = await self.made()
        with faults.told(self._store.place):
            await table.create_index("content", config=BTree(), replace=True)
            await table.optimize(cleanup_older_than=timedelta(minutes=10))

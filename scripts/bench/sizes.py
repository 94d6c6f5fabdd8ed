"""Measures how much the journal grows for each byte of new text, with scripted models on a rehearsal host."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmos.journal.connect import DEFAULTS, FILE, for_writing
from mmos.testing import Call, stage

WORDS = (
    "the", "a", "of", "queue", "host", "model", "prompt", "window", "answer", "which", "when", "because", '"lock"', "C:\\path", "{x}",
    "for", "every", "entry", "12", "ms",
)  # fmt: skip
ROOM = {"context_window": 131_072}
WINDOWS = {"arbiter": ROOM, "specialists": {"coding": ROOM, "reasoning": ROOM}}
RUNS = 12
"""Runs of one kind in one journal. The file grows in pages, so one run alone says little."""
SHARES = (0.3, 0.05, 0.05, 0.25, 0.25, 0.1)
"""Of the text of a run: the task, two briefs, two answers of specialists, the last answer."""


@dataclass(frozen=True)
class Growth:
    """How much text was new, and how much larger the file became."""

    text: int
    file: int

    @property
    def ratio(self) -> float:
        return self.file / self.text


def prose(chance: random.Random, size: int) -> str:
    """Lines of words and signs, short and long, that differ each time."""
    text = ""
    while len(text) < size:
        line = " ".join(f"{chance.choice(WORDS)} {chance.randrange(36**4):x}" for _ in range(chance.randrange(1, 12)))
        text += line + chance.choice("\n\n ")
    return text[: size - 1] + "."


async def growth(size: int, runs: int = RUNS, *, thread: bool = False) -> list[Growth]:
    """The growth by each run, in a thread of its own or in one thread for all."""
    chance = random.Random(size)
    parts = [[prose(chance, int(size * share)) for share in SHARES] for _ in range(runs)]
    found: list[Growth] = []
    with tempfile.TemporaryDirectory() as folder:
        async with stage(_cast(parts), state=Path(folder), orchestration=WINDOWS) as here:
            before = _size(Path(folder))
            for texts in parts:
                answer = await here.app.run(texts[0], thread="one" if thread else None)
                assert (answer.text or "").startswith(texts[-1])  # long answers of specialists follow it
                await here.app.journal.durable()
                after = _size(Path(folder))
                found.append(Growth(sum(map(len, texts)) + len(here.app.config.text) * (not (thread and found)), after - before))
                before = after
    return found


def _cast(parts: list[list[str]]) -> dict[str, Any]:
    def arbiter() -> Iterator[Any]:
        for _, one, other, *_, answer in parts:
            yield [Call("consult_coding_specialist", {"query": one}), Call("consult_reasoning_specialist", {"query": other})]
            yield answer

    return {"arbiter": list(arbiter()), "coding": [texts[3] for texts in parts], "reasoning": [texts[4] for texts in parts]}


def _size(folder: Path) -> int:
    """The size of the main file, with everything in it."""
    with closing(for_writing(folder / FILE, DEFAULTS)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return (folder / FILE).stat().st_size


async def report() -> list[str]:
    lines = [f"{'text of a run':>14} {'file grows by':>14} {'ratio':>6}"]
    for size in (6_000, 60_000):
        grown = await growth(size)
        whole = Growth(sum(one.text for one in grown), sum(one.file for one in grown))
        lines.append(f"{whole.text // RUNS:14} {whole.file // RUNS:14} {whole.ratio:6.2f}")
    turns = await growth(2_000, 210, thread=True)
    for turn in (10, 200):  # and the ten turns before and after it, because the file grows in pages
        some = turns[turn - 10 : turn + 10]
        lines.append(
            f"turn {turn} of a thread: {sum(one.text for one in some) // 20} bytes of text, {sum(one.file for one in some) // 20} more in the file"
        )
    return lines

"""Measures what the library finds: `python scripts/bench_retrieval.py FOLDER [--limit N]`. The folder has docs.jsonl and qa.jsonl, with the spans of answers."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.retrieval import MEASURES, Gain, Place, PlainBm25, Question, area, gain, percentile, rank_of_answer

from mmos.library.counting import FREQUENCIES
from mmos.library.finding import find
from mmos.library.frequencies import Frequencies
from mmos.library.library import CANDIDATES, Library
from mmos.library.passages import Query
from mmos.library.ranking import rank
from mmos.library.store import Row, Shelf, Store, indexed

NAME, DEEPEST = "bench", 10
WITHOUT = 4 * CANDIDATES
"""Pieces to ask for, so that enough are left without those of the document that has the answer."""
THRESHOLD = 0.7
MARKDOWN = "project_docs"


@dataclass
class Found:
    """What came of one question."""

    question: Question
    ranks: dict[str, int] = field(default_factory=dict)
    score: float = 0.0
    """Of the best passage."""
    score_without: float = 0.0
    """The same when the document with the answer is left out."""
    milliseconds: float = 0.0
    """The time of the ranking alone."""


def written(data: Path, folder: Path) -> dict[str, str]:
    """Write the documents as files. Their names say nothing: titles are to come from the texts."""
    sources = {}
    for number, line in enumerate((data / "docs.jsonl").read_text(encoding="utf-8").splitlines()):
        document = json.loads(line)
        file = folder / f"{number:04}.{'md' if document.get('kind') == MARKDOWN else 'txt'}"
        file.write_text(document["text"], encoding="utf-8", newline="")
        sources[document["doc_id"]] = str(file)
    return sources


def asked(data: Path, sources: Mapping[str, str], limit: int) -> list[Question]:
    rows = [json.loads(line) for line in (data / "qa.jsonl").read_text(encoding="utf-8").splitlines()]
    chosen = rows if not limit else rows[:: max(1, len(rows) // limit)][:limit]
    return [Question(row["question"], sources[row["doc_id"]], row["answer_start"], row["answer_end"], row["kind"]) for row in chosen]


class Bench:
    """A collection with the documents, and the ways to look something up in it."""

    def __init__(self, library: Library, shelf: Shelf, rows: Sequence[Row], frequencies: Frequencies) -> None:
        self.library, self.shelf, self.rows, self.frequencies = library, shelf, rows, frequencies
        self.plain = PlainBm25([row.text for row in rows])

    @classmethod
    async def of(cls, place: Path, documents: Path, sources: Sequence[str]) -> Bench:
        library = Library(place)
        await library.add(NAME, find([documents]))
        shelf = await Store(str(place)).open(NAME)
        return cls(library, shelf, await shelf.texts(sources), Frequencies.of_bytes(await shelf.get(FREQUENCIES) or b""))

    async def look_up(self, question: Question) -> Found:
        found, rows = Found(question), await self.shelf.candidates(question.text, count=WITHOUT)
        passages = await self.library.search(NAME, Query(question.text, top_k=DEEPEST))
        places = {
            "BM25": [_place(self.rows[number]) for number in self.plain.best(question.text, DEEPEST)],
            "index": [_place(row) for row in rows[:DEEPEST]],
            "ours": [Place(passage.source, passage.start, passage.end) for passage in passages],
        }
        found.ranks = {way: rank_of_answer(some, question) for way, some in places.items()}
        start = time.process_time()
        found.score = self._best(question, rows[:CANDIDATES])
        found.milliseconds = (time.process_time() - start) * 1_000
        found.score_without = self._best(question, [row for row in rows if row.source != question.source][:CANDIDATES])
        return found

    def _best(self, question: Question, rows: Sequence[Row]) -> float:
        return max(rank(question.text, [indexed(row.title, row.path) + row.text for row in rows], self.frequencies), default=0.0)


def _place(row: Row) -> Place:
    return Place(row.source, row.start, row.end)


def figures(found: Sequence[Found], seed: int) -> dict[str, Any]:
    """Recall of each way, and the differences to BM25."""
    documents = [one.question.source for one in found]
    ways = {
        way: {name: sum(measure(one.ranks[way]) for one in found) / len(found) for name, measure in MEASURES.items()}
        for way in found[0].ranks
    }
    gains = {
        way: {
            name: gain([measure(one.ranks[way]) - measure(one.ranks["BM25"]) for one in found], documents, seed)
            for name, measure in MEASURES.items()
        }
        for way in ways
        if way != "BM25"
    }
    return {"questions": len(found), "documents": len(set(documents)), "ways": ways, "gains": gains}


def threshold(found: Sequence[Found]) -> dict[str, float]:
    """Whether the score of the best passage tells that the library has the answer."""
    inside, outside = [one.score for one in found], [one.score_without for one in found]
    passed, stopped = sum(score >= THRESHOLD for score in inside), sum(score < THRESHOLD for score in outside)
    return {"auc": area(inside, outside), "passed": passed / len(found), "stopped": stopped / len(found)}


def told(title: str, numbers: Mapping[str, Any]) -> str:
    lines = [f"{title}: {numbers['questions']} questions on {numbers['documents']} documents"]
    for way, values in numbers["ways"].items():
        lines.append(f"  {way:<6}" + "".join(f"  {name} {value:.3f}" for name, value in values.items()))
    for way, gains in numbers["gains"].items():
        lines += [f"  {way} less BM25, {name}: {_points(one)}" for name, one in gains.items()]
    return "\n".join(lines)


def _points(one: Gain) -> str:
    (low, high), (low_document, high_document) = one.by_question, one.by_document
    return (
        f"{one.mean * 100:+.1f} points, by question [{low * 100:+.1f}, {high * 100:+.1f}], "
        f"by document [{low_document * 100:+.1f}, {high_document * 100:+.1f}]"
    )


async def measured(data: Path, limit: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures by the kind of the questions, and those of the scores and times."""
    with TemporaryDirectory() as temporary:
        documents, place = Path(temporary, "documents"), Path(temporary, "library")
        documents.mkdir()
        sources = written(data, documents)
        questions = asked(data, sources, limit)
        bench = await Bench.of(place, documents, list(sources.values()))
        found = [await bench.look_up(question) for question in questions]
    kinds = {"all": found, "sections": [one for one in found if one.question.kind == "section"]}
    times = [one.milliseconds for one in found]
    about = {"pieces": len(bench.rows), **threshold(found), "rank_ms_p50": percentile(times, 0.5), "rank_ms_p95": percentile(times, 0.95)}
    return {kind: figures(some, seed) for kind, some in kinds.items() if some}, about


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="ask only so many questions, evenly chosen")
    parser.add_argument("--seed", type=int, default=1, help="of the resamples")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    kinds, about = asyncio.run(measured(given.folder, given.limit, given.seed))
    if given.json:
        print(json.dumps({"kinds": kinds, "about": about}, default=asdict))
        return 0
    for kind, numbers in kinds.items():
        print(told(kind, numbers))
    print(f"{about['pieces']} pieces; ranking of {CANDIDATES}: p50 {about['rank_ms_p50']:.1f} ms, p95 {about['rank_ms_p95']:.1f} ms of CPU")
    print(
        f"Is it in the library? AUC {about['auc']:.3f}. At a threshold of {THRESHOLD}, {about['passed']:.3f} of the questions with an answer pass, "
        f"and {about['stopped']:.3f} of those without one are stopped."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

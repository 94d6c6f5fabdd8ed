"""Keeps the answers of a comparison in a file, so that the same command goes on and asks nothing twice."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import orjson

from mmos.app.batch_record import BatchRecord
from mmos.app.contest import Contest, Item, Judgement, Notebook
from mmos.app.standing import score_of
from mmos.cli.batch.lines import digest_of
from mmos.cli.batch.results import Earlier, Results
from mmos.comparing.scores import Cost
from mmos.comparing.sides import Given
from mmos.errors import UsageError
from mmos.events import BatchTask


def digests_of(contest: Contest) -> array[int]:
    """What makes each item the same in another command."""
    return array("Q", (digest_of(item.key.encode(errors="replace")) for item in contest.items))


class Record:
    """The answers of one comparison, by the numbers of its items."""

    def __init__(self, results: Results, digests: array[int], *, again: bool) -> None:
        self.digests = digests
        self.earlier: Earlier = results.survey(digests, ordered=False, again=again)
        self._results = results
        self._batch: BatchRecord | None = None

    async def recall(self, batch: BatchRecord) -> None:
        """Find the runs that an earlier command has begun."""
        if self.earlier.stale and batch.is_new:
            raise UsageError(
                f"{self.earlier.stale:,} of the results in {self._results.path} are of no side and case of this command, and this state folder "
                "has no record of them.",
                next_step="Name the state folder of the comparison with --state, or name another file with --out.",
            )
        self._batch = batch
        self._results.is_kept = True
        self._results.go_on()
        await batch.recall(self._is_wanted)

    def _is_wanted(self, begun: BatchTask) -> bool:
        return begun.line > len(self.digests) or not self.earlier.done[begun.line - 1] or begun.digest != self._digest(begun.line)

    def _digest(self, number: int) -> str:
        return f"{self.digests[number - 1]:016x}"

    def notebook(self, told: Callable[[Item, Given], None]) -> Notebook:
        def ends(item: Item, given: Given) -> None:
            self._write(item, given)
            told(item, given)

        return Notebook(self._known, self._run_of, self._begins, ends)

    def _known(self, item: Item) -> Given | None:
        """The answer in the file. If its score is no longer what it would be now, it is written again."""
        if not self.earlier.done[item.number - 1]:
            return None
        with self._results.path.open("rb") as file:
            file.seek(self.earlier.places[item.number - 1] - 1)
            line = orjson.loads(file.readline())
        given = given_of_line(line)
        if given is not None and line_of(item, given, self._digest(item.number)) != line:
            self.earlier.is_tidy = False
            self._write(item, given)
        return given

    def _run_of(self, item: Item) -> str:
        return self._batch.take(item.number, self._digest(item.number)) if self._batch else ""

    def _begins(self, item: Item, run: str) -> None:
        if self._batch is not None:
            self._batch.begins(run, item.number, self._digest(item.number))

    def _write(self, item: Item, given: Given) -> None:
        self._results.write(orjson.dumps(line_of(item, given, self._digest(item.number))) + b"\n")
        if self._batch is not None and not self._batch.has_written:
            self._results.flush()
            self._batch.writes()

    def put_in_order(self) -> None:
        if not self.earlier.is_tidy:
            self._results.put_in_order(self.digests)


def line_of(item: Item, given: Given, digest: str) -> dict[str, Any]:
    """The line of an answer, or of what a judge said. `mmos models compare --scored` reads the former."""
    head: dict[str, Any] = {"line": item.number, "digest": digest, "id": item.case.id}
    if isinstance(item, Judgement):
        head |= {
            "judge": item.judge,
            "a": item.a.entrant.name,
            "b": item.b.entrant.name,
            "sample": item.a.sample,
            "swapped": item.is_swapped,
        }
    else:
        score = score_of(item.entrant.name, item.case, given)
        head |= {"side": score.side, "sample": item.sample, "score": score.score, "why": score.why}
    cost = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(given.cost).items()}
    status = "failed" if given.text is None else "answered"
    return {**head, **cost, "run": given.run or None, "status": status, "answer": given.text, "reason": given.why or None}


def given_of_line(line: dict[str, Any]) -> Given | None:
    """The answer of a line. None: it has none that can be read, so it is asked for again."""
    text, why, run = line.get("answer"), line.get("reason") or "", line.get("run") or ""
    if not isinstance(text, str | None) or not isinstance(why, str) or not isinstance(run, str):
        return None
    costs = {spec.name: line.get(spec.name) for spec in fields(Cost)}
    if not all(value is None or (isinstance(value, int | float) and value >= 0) for value in costs.values()):
        return None
    return Given(text, Cost(**costs), why, run)

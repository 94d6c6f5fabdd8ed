"""Reads the rows of the shared data with the tool-call reader, and records which are right and how long each took."""

from __future__ import annotations

import importlib.util
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmos.calls.dialect import normal
from mmos.calls.naming import Names
from mmos.calls.spec import Spec
from mmos.calls.text import RawReply, TextReading, read_text

Reader = Callable[[str, Sequence[Mapping[str, Any]]], "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """The result of a reader: the calls, the rest of the text, and whether something is unclear."""

    calls: tuple[tuple[str, Mapping[str, Any]], ...]
    content: str = ""
    unclear: str = ""


@dataclass
class Score:
    """How many rows of a kind were right, and which were wrong."""

    right: int = 0
    rows: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, good: bool, name: str, seconds: float) -> None:
        self.rows += 1
        self.right += good
        self.seconds.append(seconds)
        if not good:
            self.wrong.append(name)

    @property
    def share(self) -> float:
        return self.right / self.rows if self.rows else 1.0


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def matcher(data: Path) -> Callable[[Sequence[Any], Sequence[Any]], bool]:
    """The matcher in the folder of the data."""
    spec = importlib.util.spec_from_file_location("score_reference", data / "tool_text" / "score_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[Sequence[Any], Sequence[Any]], bool] = module.calls_ok
    return found


def specs(tools: Iterable[Mapping[str, Any]]) -> list[Spec]:
    """Offered tools in either wrapping, with parameters in any dialect."""
    bare = [tool.get("function") or tool for tool in tools]
    return [Spec(tool["name"], tool.get("description") or "", normal(tool.get("parameters") or {})) for tool in bare]


def ours(text: str, tools: Sequence[Mapping[str, Any]]) -> Outcome:
    read = read_text(RawReply(text, Names(specs(tools))))
    return outcome(read)


def outcome(read: TextReading) -> Outcome:
    return Outcome(tuple((call.name, call.arguments) for call in read.calls), read.content, read.unclear)


def timed(reader: Reader, text: str, tools: Sequence[Mapping[str, Any]]) -> tuple[Outcome, float]:
    begun = time.perf_counter()
    made = reader(text, tools)
    return made, time.perf_counter() - begun


def bench_rows(data: Path, half: str = "all") -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each row with its question. `half` selects one of two random halves: rules are tuned on one and checked on the other."""
    questions = {row["qid"]: row for row in lines(data / "tool_text" / "questions.jsonl")}
    rows = lines(data / "tool_text" / "bench.jsonl")
    chance = random.Random(6)
    side = [chance.random() < 0.5 for _ in rows]
    return [(row, questions[row["qid"]]) for row, first in zip(rows, side, strict=True) if half == "all" or first == (half == "first")]


def score_bench(data: Path, reader: Reader, half: str = "all") -> dict[str, Score]:
    """The results by target: matching calls, texts without calls, and calls only of offered tools."""
    match = matcher(data)
    scores: dict[str, Score] = {}
    for row, question in bench_rows(data, half):
        made, seconds = timed(reader, row["raw_text"], question["tools"])
        target = row["target"]
        offered = {(tool.get("function") or tool)["name"] for tool in question["tools"]}
        good = all(name in offered for name, _ in made.calls)
        if target in ("calls_correct", "undecodable_with_call"):
            good = good and match(list(made.calls), question["expected_calls"])
        elif target in ("no_call_clean", "undecodable_no_call"):
            good = good and not made.calls
        scores.setdefault(target, Score()).add(good, row["id"], seconds)
    return scores

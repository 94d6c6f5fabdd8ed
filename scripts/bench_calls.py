#!/usr/bin/env python
"""Measures how well and how fast the tool-call reader reads shared data: python scripts/bench_calls.py FOLDER [--check] [--half first]."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import timeit
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.calls_hostile import TOOLS, slowest, texts
from bench.calls_peers import families
from bench.calls_readers import READERS
from bench.calls_rows import Outcome, Reader, Score, bench_rows, lines, matcher, ours, score_bench, specs, timed
from bench.mixtures import mixture

from mmos.calls.naming import Names
from mmos.calls.reading import read
from mmos.messages import Message, Reply, ToolCall

LEAST = {"calls_correct": 0.99, "no_call_clean": 1.0, "undecodable_with_call": 0.60, "spurious_call": 1.0}
CORE = 0.95
MEDIAN_MS, WORST_MS, HOSTILE_S, HOT_US = 2.0, 50.0, 1.0, 20.0
MEGABYTE = 1_000_000
MIXTURES = 20
PIECES = (1, 7, 1000, 400_000)

Row = Mapping[str, Any]


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", type=Path, help="the folder with tool_text and peer_parser")
    asked.add_argument("--check", action="store_true", help="end with 1 when a limit is broken")
    asked.add_argument(
        "--half",
        choices=("all", "first", "second"),
        default="all",
        help="use one half of the rows; the rules are tuned on the first half only",
    )
    asked.add_argument("--apart", action="store_true", help="show each peer case that the reader reads differently")
    options = asked.parse_args()
    broken = [*_rows(options.data, options.half), *_peers(options.data, shown=options.apart), *_hostile(), *_hot()]
    _small(options.data)
    _beside(options.data)
    for line in broken:
        print(f"BROKEN: {line}")
    return int(bool(broken) and options.check)


def _rows(data: Path, half: str) -> list[str]:
    print(f"Rows of tool_text/bench.jsonl ({half})")
    scores = score_bench(data, ours, half)
    for target, score in sorted(scores.items()):
        worst = max(score.seconds) * 1e3
        print(
            f"  {target:24} {score.right:5} of {score.rows:5}  {score.share:7.2%}  median {_median(score):5.2f} ms  worst {worst:6.2f} ms"
        )
    broken = [f"{target}: {scores[target].share:.2%} of {bound:.0%}" for target, bound in LEAST.items() if scores[target].share < bound]
    seconds = [one for score in scores.values() for one in score.seconds]
    if statistics.median(seconds) * 1e3 > MEDIAN_MS or max(seconds) * 1e3 > WORST_MS:
        broken.append(f"a row takes {statistics.median(seconds) * 1e3:.1f} ms, the worst {max(seconds) * 1e3:.0f} ms")
    return broken


def _median(score: Score) -> float:
    return statistics.median(score.seconds) * 1e3


def _peers(data: Path, *, shown: bool) -> list[str]:
    print("Cases of other parsers, core families: calls, and calls with content")
    found = families(data, ours)
    for name, family in found.items():
        print(f"  {name:60} {family.calls:3} {family.content:3} of {family.cases:3}")
        for case, expected, made, what in family.apart if shown else ():
            print(f"     {case} ({what}) {expected}\n     ours {made}")
    print(
        f"  {'all':60} {sum(f.calls for f in found.values())} {sum(f.content for f in found.values())} of {sum(f.cases for f in found.values())}"
    )
    return [f"{name}: {family.calls} of {family.cases} cases" for name, family in found.items() if family.calls < CORE * family.cases - 1]


def _hostile() -> list[str]:
    mixed = [(f"mixture {seed}", mixture(seed)(MEGABYTE)) for seed in range(MIXTURES)]
    slow = [("signs", slowest(texts(MEGABYTE))), ("half a MB of signs", slowest(texts(MEGABYTE // 2))), ("mixtures", slowest(mixed))]
    slow += [(f"mixtures in pieces of {piece:,}", slowest(mixed, piece=piece)) for piece in PIECES]
    print("Hostile texts of 1 MB: " + "; ".join(f"{what} {seconds:.2f} s ({name[:40]!r})" for what, (seconds, name) in slow))
    return [f"1 MB of {what} takes {seconds:.2f} s ({name!r})" for what, (seconds, name) in slow if seconds > HOSTILE_S]


def _hot() -> list[str]:
    names = Names(specs(TOOLS))
    replies = {
        "a clean call of a server": Reply(Message("assistant", "", (ToolCall("a", "get_weather", {"city": "Paris"}),)), "m", "h"),
        "plain prose": Reply(Message("assistant", "The weather in Paris is fine (20 degrees), and stays so. " * 15), "m", "h"),
    }
    found = {what: min(timeit.repeat(partial(read, reply, names), number=500, repeat=5)) / 500 * 1e6 for what, reply in replies.items()}
    print("The hot path: " + ", ".join(f"{what} {micro:.1f} us" for what, micro in found.items()))
    return [f"{what} takes {micro:.0f} us" for what, micro in found.items() if micro > HOT_US]


def _small(data: Path) -> None:
    """Small models through Ollama: which readers find the expected tools in the raw text, and which find calls that are none."""
    tools = json.loads((data / "tool_text" / "ollama_small_models_tools.json").read_text())
    rows = [row for row in lines(data / "tool_text" / "ollama_small_models.jsonl") if (row["raw_text"] or "").strip()]
    print(f"Small models, {len(rows)} replies with text: right tools where some are due, and no call where none is")
    for name, reader in {"ours": ours, **READERS}.items():
        _print_small(name, rows, partial(_raw, reader, tools))
    _print_small("what Ollama really parsed", rows, _as_parsed)


def _print_small(name: str, rows: Sequence[Row], reader: Callable[[Row], Outcome]) -> None:
    due = kept = due_rows = kept_rows = 0
    for row in rows:
        made = [call for call, _ in reader(row).calls]
        if row["restraint"]:
            kept_rows, kept = kept_rows + 1, kept + (not made)
        else:
            due_rows, due = due_rows + 1, due + (set(made) == set(row["expected_tools"]))
    print(f"  {name:28} {due:3} of {due_rows:3}   {kept:3} of {kept_rows:3}")


def _raw(reader: Reader, tools: Sequence[Row], row: Row) -> Outcome:
    return reader(row["raw_text"], tools)


def _as_parsed(row: Row) -> Outcome:
    calls = row["ollama_tool_calls"] or ()
    return Outcome(tuple((call["name"], call["arguments"]) for call in calls))


def _beside(data: Path) -> None:
    """The same rows through the readers that ship with Ollama and vLLM."""
    match = matcher(data)
    print("Side by side: rows with the right calls; scripts/bench/calls_readers.py has the others' rules, written anew")
    print("  'any of theirs' counts a row when any of their readers is right; no real system can choose that way")
    for target in ("calls_correct", "undecodable_with_call"):
        rows = [(row, question) for row, question in bench_rows(data) if row["target"] == target]
        hits = {
            name: [match(list(timed(reader, row["raw_text"], q["tools"])[0].calls), q["expected_calls"]) for row, q in rows]
            for name, reader in {**READERS, "ours": ours}.items()
        }
        hits["any of theirs"] = [any(hits[name][place] for name in READERS) for place in range(len(rows))]
        for name, right in hits.items():
            print(f"  {target:24} {name:24} {sum(right):5} of {len(rows):5}  {sum(right) / len(rows):7.2%}")


if __name__ == "__main__":
    sys.exit(main())

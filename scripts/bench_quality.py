"""Measures `mmos quality`: false alarms on clean code, `python scripts/bench_quality.py FOLDER…`, and faults found, `… --faults FILE`."""

from __future__ import annotations

import argparse
import ast
import json
import random
import sys
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

from mmos.quality.checks import check
from mmos.quality.finding import Finding, Subject
from mmos.quality.languages import language_of_file

MOST_LINES = 400
LEAST_LINES = 5
SKIPPED = (
    "test",
    "tests",
    "testing",
    "idlelib",
    "lib2to3",
    "turtledemo",
    "bad_coding",
    "testdata",
    "fixtures",
    "config-3.11",
    "node_modules_cache",
)
"""Folders with code that is wrong on purpose, or made by programs."""


@dataclass(frozen=True)
class Case:
    name: str
    subject: Subject
    fault: str = ""
    """The kind that is planted. Empty: none is."""


@dataclass(frozen=True)
class Result:
    case: Case
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def alarms(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity != "note"]


def clean(folders: Sequence[Path], count: int, seed: int) -> list[Case]:
    """Whole files of at most 400 lines, and functions cut from files, as answers with one block of code."""
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if _is_code(path, folder)]
    random.Random(seed).shuffle(paths)
    cases: list[Case] = []
    for path in paths:
        if len(cases) >= count:
            break
        text = path.read_text(encoding="utf-8", errors="replace")
        if LEAST_LINES <= len(text.splitlines()) <= MOST_LINES:
            cases.append(_case(f"{path}", text, path))
        if path.suffix == ".py":
            functions = list(_functions(text))
            cases += [_case(f"{path}:{line}", code, path) for line, code in functions[:2]]
    return cases[:count]


def _is_code(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    kinds = ("python", "javascript", "typescript", "go", "java", "c", "cpp", "rust", "ruby", "php", "shell", "yaml", "toml", "json", "sql")
    return (
        path.is_file() and language_of_file(path.name) in kinds and not any(part in SKIPPED for part in parts) and ".min." not in path.name
    )


def _functions(text: str) -> Iterator[tuple[int, str]]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    lines = text.splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= LEAST_LINES:
            yield node.lineno, "\n".join(lines[node.lineno - 1 : node.end_lineno])


def _case(name: str, code: str, path: Path) -> Case:
    mark = "````" if "```" in code else "```"
    answer = f"Here is the code that you asked for:\n\n{mark}{path.suffix[1:]}\n{code}\n{mark}\n\nTell me if you want anything changed.\n"
    return Case(name, Subject("", answer))


def faults(path: Path) -> list[Case]:
    """Rows of JSON lines: {"answer", "question"?, "files"?, "fault"?}; without `fault` the answer is clean."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Case(str(row.get("id", number)), Subject(row.get("question", ""), row["answer"], row.get("files", {})), row.get("fault") or "")
        for number, row in enumerate(rows, 1)
    ]


def run(case: Case) -> Result:
    begun = process_time()
    findings = check(case.subject)
    return Result(case, findings, process_time() - begun)


def report(results: Sequence[Result], show: str | None) -> str:
    by_kind: dict[str, list[tuple[Result, Finding]]] = defaultdict(list)
    for result in results:
        for kind, finding in {finding.kind: finding for finding in result.alarms}.items():
            by_kind[kind].append((result, finding))
    lines = []
    for kind, found in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        lines.append(f"{kind:<16} {len(found):>5} answers, {len(found) / len(results):.2%}")
        if show in (kind, "all"):
            lines += [
                f"    {result.case.name} {finding.severity} {finding.where.split(', ')[-1]}: {finding.message} | {finding.quote[:100]}"
                for result, finding in found[:40]
            ]
    return "\n".join(lines)


def summary(results: Sequence[Result]) -> str:
    planted = [result for result in results if result.case.fault]
    clean_ones = [result for result in results if not result.case.fault]
    seconds = [result.seconds for result in results]
    lines = [f"{len(results)} answers, median {median(seconds) * 1000:.1f} ms, longest {max(seconds) * 1000:.0f} ms"]
    if clean_ones:
        alarmed = sum(bool(result.alarms) for result in clean_ones)
        lines.append(f"clean: {len(clean_ones)}, with an error or a warning: {alarmed} ({alarmed / len(clean_ones):.2%})")
    if planted:
        found = sum(bool(result.alarms) for result in planted)
        counts = Counter(result.case.fault for result in planted if not result.alarms)
        lines.append(f"planted: {len(planted)}, found: {found} ({found / len(planted):.1%}); missed: {dict(counts)}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folders", nargs="*", type=Path, help="Folders of clean code. Default: the standard library and the installed packages."
    )
    parser.add_argument("--faults", type=Path, help='JSON lines, each {"answer", "question"?, "files"?, "fault"?}.')
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", help="Shows the findings of this kind, or `all`.")
    given = parser.parse_args()
    own = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
    cases = faults(given.faults) if given.faults else clean(given.folders or own, given.count, given.seed)
    results = [run(case) for case in cases]
    if given.show:
        for result in results:
            if result.case.fault and not result.alarms:
                print(f"missed {result.case.name} ({result.case.fault}): {result.case.subject.answer[:300]!r}")
    print("\n".join(filter(None, (report([result for result in results if not result.case.fault], given.show), summary(results)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

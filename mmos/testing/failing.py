"""Explains failing tests: those with one cause once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmos.app import RunOptions, Watch, open_app
from mmos.app.diagnosing import by_rules, diagnose, examine
from mmos.app.diagnosis import Diagnosis, Failure
from mmos.app.log import Log
from mmos.diagnosis.cleaning import form
from mmos.errors import MmosError
from mmos.plurals import counted

MOST_EXPLAINED = 5
"""More causes than these are only named by their tests."""
MOST_NAMED = 10
SECONDS = 120.0

Test = tuple[str, str, str]
"""Its id, its traceback, and what it printed."""


@dataclass(frozen=True)
class Wanted:
    """How the user wants failing tests explained."""

    config: str | None
    folder: Path
    rules_only: bool = False


def explain(tests: Sequence[Test], wanted: Wanted) -> Iterator[str]:
    """The lines that explain these tests."""
    groups = list(same_cause(sorted(tests)).values())  # workers report in any order
    explained, why = _explained(groups[:MOST_EXPLAINED], wanted)
    for group, diagnosis in zip(groups, explained, strict=False):
        names = [test[0] for test in group]
        yield f"{counted(len(names), 'test')}: {', '.join(names[:MOST_NAMED])}{' …' if len(names) > MOST_NAMED else ''}"
        yield from (f"  {line}" for line in diagnosis.text().splitlines())
    for group in groups[MOST_EXPLAINED:]:
        yield f"{counted(len(group), 'test')} more, of another cause: {group[0][0]}"
    if why:
        yield f"No model explains it: {why}"


def same_cause(tests: Sequence[Test]) -> dict[str, list[Test]]:
    """The tests by what they have in common: the message of the exception, without numbers and addresses."""
    groups: dict[str, list[Test]] = {}
    for test in tests:
        groups.setdefault(_cause(test[1]), []).append(test)
    return groups


def _cause(traceback: str) -> str:
    """The lines that pytest marks with an E, else the last line."""
    marked = re.findall(r"^E {2,}(.*)$", traceback, re.MULTILINE)
    last = traceback.strip().rpartition("\n")[2]
    return form(" ".join(marked[:3]) or last)


def _log(group: Sequence[Test]) -> Failure:
    """The first test of a group as a log: it stands for all of them."""
    name, traceback, printed = group[0]
    return Failure("log", f"of the test {name}", Log.of("\n".join(filter(None, (printed, traceback)))))


def _explained(groups: Sequence[Sequence[Test]], wanted: Wanted) -> tuple[list[Diagnosis], str]:
    """A diagnosis for each group, and why no model made them."""
    failures = [_log(group) for group in groups]
    if wanted.rules_only:
        return [by_rules(failure, examine(failure)) for failure in failures], ""
    try:
        return asyncio.run(_asked(failures, wanted))
    except MmosError as error:
        return [by_rules(failure, examine(failure)) for failure in failures], str(error)


async def _asked(failures: Sequence[Failure], wanted: Wanted) -> tuple[list[Diagnosis], str]:
    """When no host can serve, the others are not tried."""
    found: list[Diagnosis] = []
    why = ""
    async with open_app(wanted.config) as app:
        for failure in failures:
            if why:
                found.append(by_rules(failure, examine(failure)))
                continue
            diagnosis = await diagnose(app, failure, RunOptions(timeout=SECONDS), Watch())
            if diagnosis.reason is not None:
                why = f"{diagnosis.reason.message} {diagnosis.reason.next}".strip()
            found.append(replace(diagnosis, reason=None))
    return found, why

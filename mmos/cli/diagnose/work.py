"""Diagnoses a log or a run, and shows what is selected of a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.diagnose.good import of_log
from mmos.cli.diagnose.job import Job, note, show
from mmos.cli.diagnose.opening import log_of, opened
from mmos.cli.diagnose.spool import BLOCK
from mmos.cli.lines import Form, answer_lines, lines_of
from mmos.cli.options import run_to_end
from mmos.cli.output import print_json
from mmos.cli.text import flat, harmless
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.app.diagnosis import Diagnosis, Failure
    from mmos.diagnosis.log import Selection
    from mmos.diagnosis.profile import Profile

HINT = 'Give it JSON lines, each {"log": "…"}: mmos diagnose --rules-only --jsonl logs.jsonl'
RULES = Form("log", frozenset({"log"}), frozenset({"category", "cause", "evidence", "cure", "confidence"}))
SELECT = Form("log", frozenset({"log"}), frozenset({"lines", "tokens"}))


def explain(job: Job, run: str | None, log: str | None) -> int:
    """Diagnose a log, or a run of the journal."""
    diagnosis = _of_log(job, log) if log is not None else run_to_end(lambda: _of_run(job, run))
    show(job, diagnosis, sys.stdout)
    return diagnosis.exit_code


def lines(file: str, *, select: bool, tokens: int) -> int:
    """Answer JSON lines, without a model."""
    with lines_of(None, HINT) if file == "-" else opened(file) as given:
        if select:
            return answer_lines(given, SELECT, lambda fields: _ranges(_selected(_bytes(fields), tokens)))
        return answer_lines(given, RULES, _judged)


def show_selection(job: Job, file: str, tokens: int) -> int:
    selection = _selected(log_of(file).blocks(), tokens, None if job.good is None else of_log(job.good))
    if job.form == "json":
        print_json({"version": 1, **_ranges(selection)})
    else:
        click.echo(harmless(selection.text()))
    return 0


# ---------------------------------------------------------------- a log, a run


def _of_log(job: Job, file: str) -> Diagnosis:
    from mmos.app.diagnosis import Failure

    log = log_of(file)
    if not any(log.blocks()):
        raise UsageError(f"The log {'on stdin' if file == '-' else flat(file)} is empty.", next_step="Does the command print anything?")
    good = None if job.good is None else of_log(job.good)
    return diagnosis_of(job, Failure("log", "on stdin" if file == "-" else Path(file).name, log, good=good))


def diagnosis_of(job: Job, failure: Failure) -> Diagnosis:
    """The diagnosis of a failure, by a model unless the user wants none. An error of MMOS is its reason."""
    from mmos.app.diagnosing import by_rules, examine
    from mmos.app.explaining import without_model
    from mmos.errors import MmosError, UserError

    if job.rules_only:
        return by_rules(failure, examine(failure))
    try:
        return run_to_end(lambda: _asked(job, failure))
    except MmosError as error:
        return without_model(failure, error)
    except OSError as error:  # such as a working folder that the command removed
        return without_model(failure, UserError(f"{error.filename or 'The working folder'}: {(error.strerror or str(error)).lower()}."))


async def _asked(job: Job, failure: Failure) -> Diagnosis:
    from mmos.app import Watch
    from mmos.app.diagnosing import diagnose
    from mmos.cli.app import app_of

    async with app_of(job.options, lambda _line: None) as app:
        note(job, "asking a model why …")
        return await diagnose(app, failure, job.run_options(app.config), Watch())


async def _of_run(job: Job, run: str | None) -> Diagnosis:
    from mmos.app.diagnosing import by_rules, examine
    from mmos.app.diagnosis import Failure
    from mmos.app.explaining import run_log

    async with job.options.journal() as journal:
        name, log = await run_log(journal, run)
    if run is None:
        click.echo(f"mmos: the newest run that failed: {name}", err=True)
    failure = Failure("run", name, log)
    if job.rules_only:
        return by_rules(failure, examine(failure))
    return await _asked(job, failure)


# ---------------------------------------------------------------- JSON lines


def _bytes(fields: Mapping[str, Any]) -> Iterable[bytes]:
    text: str = fields["log"]
    return (text[start : start + BLOCK].encode(errors="replace") for start in range(0, len(text), BLOCK))


def _selected(blocks: Iterable[bytes], tokens: int, good: Profile | None = None) -> Selection:
    from mmos.diagnosis.reader import select

    return select(blocks, tokens=tokens, good=good)


def _ranges(selection: Selection) -> dict[str, Any]:
    return {"lines": [list(each) for each in selection.ranges()], "tokens": selection.tokens}


def _judged(fields: Mapping[str, Any]) -> dict[str, Any]:
    from mmos.app.diagnosing import examine
    from mmos.app.diagnosis import Failure
    from mmos.app.log import Log

    return examine(Failure("log", "", Log(lambda: _bytes(fields)))).verdict.to_json()

"""`mmos diagnose -- COMMAND`: runs a command, and explains its failure. MMOS itself is silent when the command passes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from mmos.cli.diagnose.good import known, of_log, remember
from mmos.cli.diagnose.job import Job, show
from mmos.cli.diagnose.process import NotStarted, run
from mmos.cli.diagnose.spool import Spool
from mmos.cli.output import print_json

if TYPE_CHECKING:
    from mmos.app.diagnosis import Failure
    from mmos.diagnosis.profile import Profile

LONGEST = 200


def watch(job: Job, command: Sequence[str]) -> int:
    """Run the command, and return its exit code. What imports much comes after its failure."""
    good = of_log(job.good) if job.good is not None else None  # a file that cannot be read is said before anything runs
    spool = Spool()
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = sys.stdout.fileno(), sys.stderr.fileno()
    try:
        ended = run(command, err if job.form == "json" else out, err, spool.keep)
    except NotStarted as error:
        return _not_started(job, command, error)
    spool.end()
    try:
        if ended.code and not ended.interrupted:
            _explain(job, _failure(job, command, ended.code, spool, good))
            return ended.code
        if not ended.code:
            remember(job.options, command, spool)
        if job.form == "json":
            print_json(_without_cause(command, ended.code))
    finally:
        spool.close()
    return ended.code


def _failure(job: Job, command: Sequence[str], code: int, spool: Spool, good: Profile | None) -> Failure:
    from mmos.app.diagnosis import Failure
    from mmos.app.log import Log

    return Failure("command", name_of(command), Log(spool.blocks), code, good or known(job.options, command))


def _explain(job: Job, failure: Failure) -> None:
    from mmos.cli.diagnose.work import diagnosis_of

    try:
        diagnosis = diagnosis_of(job, failure)
    except KeyboardInterrupt:
        from mmos.app.diagnosing import by_rules, examine
        from mmos.events import Reason

        diagnosis = by_rules(failure, examine(failure), Reason("cancelled", "You interrupted it."))
    try:
        show(job, diagnosis, sys.stderr)
    except OSError as error:  # of a summary or a report; the exit code is still that of the command
        with suppress(OSError):  # stderr may be what is full
            click.echo(f"mmos: {error.filename or 'the output'}: {(error.strerror or str(error)).lower()}.", err=True)


def _not_started(job: Job, command: Sequence[str], error: NotStarted) -> int:
    """Say why a command cannot be started, with the exit code that a shell gives."""
    message = f"{command[0]}: {'no such command' if error.code == 127 else 'it cannot be run'}: {str(error).lower()}."
    if job.form == "json":
        print_json(
            {**_without_cause(command, error.code), "cause": message, "cure": _cure(command, error.code), "by": "rules", "confidence": 1.0}
        )
    click.echo(f"mmos: {message}\n      {_cure(command, error.code)}", err=True)
    return error.code


def _cure(command: Sequence[str], code: int) -> str:
    word = command[0]
    if len(command) == 1 and any(sign in word for sign in " |&;<>"):
        return f"Give the words one by one, or let a shell read them: mmos diagnose -- sh -c {shlex.quote(word)}"
    if code == 126:
        return f"Is it a program? A file needs the permission: chmod +x {shlex.quote(word)}"
    if "/" in word:
        return "Is the path right, and does the program in its first line (#!) exist?"
    return (
        "Is it spelled right, and installed, and is its folder in PATH? A command of your shell alone, such as an alias, needs the shell."
    )


def name_of(command: Sequence[str]) -> str:
    """The command as its user would type it, without secrets."""
    from mmos.diagnosis.masking import mask

    text = mask(shlex.join(command))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _without_cause(command: Sequence[str], code: int) -> dict[str, object]:
    """The document for a command that passed, or that somebody ended."""
    from mmos.diagnosis.endings import signal_of

    return {
        "version": 1, "failed": code != 0, "kind": "command", "name": name_of(command), "exit_code": code, "signal": signal_of(code),
        "category": None, "cause": None, "evidence": [], "suggestions": [], "cure": None, "confidence": 0.0, "more": None, "by": None, "rules": None, "asked": None, "run": None,
        "reason": None, "lines": 0, "place": None,
    }  # fmt: skip

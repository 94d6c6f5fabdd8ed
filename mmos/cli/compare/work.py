"""Runs a comparison: over what an earlier command has, to the table and the verdicts."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import click

from mmos.app import App
from mmos.app.batch_record import BatchRecord
from mmos.app.contest import Attempt, Contest, Item, Notebook, Terms
from mmos.app.entrants import entrants_of, judge_of
from mmos.app.evaluating import evaluation_of, finished, keep, only, sides_of
from mmos.app.standing import check_models, check_terms, comparison_of, score_of
from mmos.cli.app import app_of
from mmos.cli.batch.progress import Progress, Tally
from mmos.cli.batch.results import NotWritten, Results
from mmos.cli.compare.record import Record, digests_of
from mmos.cli.compare.show import Reasons, show
from mmos.cli.options import Options, run_to_end
from mmos.cli.text import flat
from mmos.comparing.cases import Case
from mmos.comparing.comparison import Comparison
from mmos.comparing.sides import Given
from mmos.errors import NoHost


@dataclass(frozen=True)
class Job:
    """What the command line says of a comparison."""

    sides: Sequence[str]
    cases: Sequence[Case]
    samples: int = 1
    concurrency: int | None = None
    judge: str = ""
    seed: int | None = None
    out: str | None = None
    again: bool = False
    progress: bool | None = None
    within: float = 0.03
    show_differences: bool = False
    pattern: str = ""
    """The pattern that is compared with its members. Empty: the sides are compared with each other."""


def run_comparison(options: Options, job: Job) -> int:
    """Run a comparison, and return the exit code."""
    check_terms(job.cases, job.judge, job.samples, job.within)
    if job.out is None:
        return run_to_end(partial(_run, options, job, None), once=True)
    with Results(Path(os.path.realpath(job.out))) as results:
        return run_to_end(partial(_run, options, job, results), once=True)


async def _run(options: Options, job: Job, results: Results | None) -> int:
    async with app_of(options) as app:
        entrants = entrants_of(app, sides_of(app.config, job.pattern) if job.pattern else job.sides)
        terms = Terms(job.samples, job.concurrency, await judge_of(app, entrants, job.judge), job.seed, job.again)
        work = _Work(options, app, job, Contest(app, entrants, job.cases, terms), results)
        await work.prepare()
        return await work.to_end()


class _Work:
    """One command that works on a comparison."""

    def __init__(self, options: Options, app: App, job: Job, contest: Contest, results: Results | None) -> None:
        self.options, self.app, self.job, self.contest = options, app, job, contest
        self.tally = Tally(len(contest.items))
        self.progress = Progress(self.tally, app.fleet, shown=job.progress is not False)
        contest.terms = replace(contest.terms, tell=self.progress.say)
        self.record = None if results is None else Record(results, digests_of(contest), again=job.again)
        self._results = results

    async def prepare(self) -> None:
        contest = self.contest
        if self.record is None or self._results is None:
            contest.notebook = Notebook(ends=self._count)
        else:
            kept = self._results
            await self.record.recall(await BatchRecord.of(self.app.journal, str(kept.path), anew=kept.is_new, empty=kept.is_empty))
            contest.notebook = self.record.notebook(self._count)
            self.tally.statuses += self.record.earlier.statuses
            self.tally.earlier = self.record.earlier.count
        if self.tally.done < len(contest.attempts):
            await check_models(self.app, contest.entrants)

    def _count(self, _: Item, given: Given) -> None:
        self.tally.statuses["failed" if given.text is None else "answered"] += 1
        self.tally.output_tokens += given.cost.output_tokens or 0

    async def to_end(self) -> int:
        """Ask whatever is missing, or as much as possible, and print the comparison of what is there."""
        code, reason = 0, ""
        if self.tally.earlier:
            self.progress.say(f"The comparison goes on: {self.tally.earlier:,} of {self.tally.total:,} answers are in {self.job.out}.")
        if self.contest.judgements and self.contest.terms.judge != self.job.judge:
            self.progress.say(f"The judge is {self.contest.terms.judge}.")
        if self.app.rehearsed:
            self.progress.say("[rehearsal: scripted models answer; no model is asked]")
        try:
            code, reason = await self._hold()
            if self.record is not None:
                self.record.put_in_order()
        except NotWritten as error:
            code, reason = 1, error.message
        comparison, found = await self._outcome(whole=not reason)
        more = {"out": self.job.out, "samples": self.job.samples, "judge": self.contest.terms.judge or None, "seed": self.job.seed,
                "rehearsed": self.app.rehearsed, "reason": reason or None, "next": self._command() if reason else None, **found}  # fmt: skip
        show(self.options, comparison, show_differences=self.job.show_differences, reasons=self._reasons(), more=more)
        if reason:
            self._tell(reason)
        return code or int(not comparison.pairs)

    async def _outcome(self, *, whole: bool) -> tuple[Comparison, dict[str, Any]]:
        """What came of it, and what its document has beside that. A whole evaluation is kept."""
        if not self.job.pattern:
            return comparison_of(self.contest, self.job.within, self.job.seed or 0), {}
        evaluation = evaluation_of(self.contest, self.job.pattern, self.job.within, self.job.seed or 0)
        if whole and finished(self.contest):
            await keep(self.app, self.contest, evaluation)
        if not self.options.json:
            click.echo(f"{flat(evaluation.text)}\n")
        return only(evaluation.comparison, evaluation.pair), evaluation.verdict_document()

    async def _hold(self) -> tuple[int, str]:
        """Hold the contest. Returns the exit code, and why it has ended early."""
        try:
            with redirect_stdout(sys.stderr):  # tools may print
                async with self.progress.alive():
                    await self.contest.hold()
        except asyncio.CancelledError:
            cast("asyncio.Task[Any]", asyncio.current_task()).uncancel()
            return 130, "Interrupted."
        except NoHost as error:
            return 4, error.message
        return 0, ""

    def _reasons(self) -> Reasons:
        """What was wrong, by side and case; of several samples the first that was wrong."""
        found: dict[tuple[str, str], str] = {}
        for attempt in reversed(self.contest.attempts):
            if (given := self.contest.given.get(attempt.number)) and (why := self._why(attempt, given)):
                found[attempt.entrant.name, attempt.case.id] = why
        return found

    def _why(self, attempt: Attempt, given: Given) -> str:
        return score_of(attempt.entrant.name, attempt.case, given).why

    def _tell(self, reason: str) -> None:
        answers = sum(attempt.number in self.contest.given for attempt in self.contest.attempts)
        click.echo(f"mmos: {reason} This compares {answers:,} of {len(self.contest.attempts):,} answers. {self._how()}", err=True)

    def _how(self) -> str:
        return f"Go on with:\n      {self._command()}" if self.job.out else "With --out FILE the same command could go on."

    def _command(self) -> str | None:
        return shlex.join(["mmos", *sys.argv[1:]]) if self.job.out else None

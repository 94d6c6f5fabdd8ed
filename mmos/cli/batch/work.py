"""Runs a batch: from a file of tasks, over the runs that have begun, to a file of results."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from mmos.app import Answer, App, Watch
from mmos.app.batch import Batch
from mmos.app.batch_record import BatchRecord
from mmos.cli.app import app_of
from mmos.cli.batch.lines import BadLine, Defaults, Line, LineTask, digests_of, line_of_answer, line_of_error, lines_of, read_line
from mmos.cli.batch.order import Order
from mmos.cli.batch.progress import Progress, Tally
from mmos.cli.batch.results import Earlier, NotWritten, Results
from mmos.cli.code import first_block
from mmos.cli.options import Options, run_to_end
from mmos.cli.output import print_json, whole_seconds
from mmos.errors import NoHost, UsageError
from mmos.events import BatchTask
from mmos.plurals import counted
from mmos.views.run import RunView

STDIN = "-"
REMEMBERED = 2 << 20
"""Bytes that the journal remembers. Tasks are seldom alike, and the memory of a batch must not grow with their number."""


@dataclass(frozen=True)
class Job:
    """What the command line says of a batch."""

    tasks: str
    """The file of tasks, or `-`."""
    out: str
    defaults: Defaults
    concurrency: int | None = None
    ordered: bool = True
    again: bool = False
    """Whether tasks without an answer run again."""
    extract: bool = False
    progress: bool | None = None


def run_batch(options: Options, job: Job) -> int:
    """Run a batch, and return the exit code."""
    with _opened(job.tasks) as file, Results(_place_of(job)) as results:
        return run_to_end(partial(_run, options, job, file, results), once=True)


def _place_of(job: Job) -> Path:
    out = Path(os.path.realpath(job.out))
    if job.tasks != STDIN and out.exists() and out.samefile(job.tasks):
        raise UsageError("--batch and --out name the same file.", next_step="Name another file with --out.")
    return out


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """The file of tasks. stdin and pipes are copied to a temporary file first, because MMOS reads the tasks twice."""
    if path == STDIN and sys.stdin.isatty():
        raise UsageError("There are no tasks on stdin.", next_step="Pipe them in, or name a file: --batch tasks.jsonl")
    try:
        file: BinaryIO = sys.stdin.buffer if path == STDIN else Path(path).open("rb")  # noqa: SIM115  # stdin is not ours to close
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}.", next_step="Check the path.") from None
    if path != STDIN and file.seekable():
        with file:
            yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield cast("BinaryIO", copy)


async def _run(options: Options, job: Job, file: BinaryIO, results: Results) -> int:
    async with app_of(options) as app:
        app.journal.remember_at_most(REMEMBERED)
        app.cast(job.defaults.options)  # options that no task could run with are said once
        digests = digests_of(file)
        earlier = results.survey(digests, ordered=job.ordered, again=job.again)
        record = await BatchRecord.of(app.journal, str(results.path), anew=results.is_new, empty=results.is_empty)
        results.is_kept = True
        if earlier.stale and record.is_new:
            raise UsageError(
                f"{earlier.stale:,} of the results in {results.path} are of no line of these tasks, and this state folder has no record of them.",
                next_step="Name the state folder of the batch with --state, or name another file with --out.",
            )
        results.go_on()
        work = _Work(app, job, file, results, digests, earlier, record)
        await record.recall(work.is_wanted)
        return await work.to_end(options)


@dataclass
class _Work:
    """One command that works on a batch."""

    app: App
    job: Job
    file: BinaryIO
    results: Results
    digests: array[int]
    earlier: Earlier
    record: BatchRecord
    tally: Tally = field(init=False)
    progress: Progress = field(init=False)
    order: Order = field(init=False)

    def __post_init__(self) -> None:
        total = sum(map(bool, self.digests))
        self.tally = Tally(total, self.earlier.statuses, self.earlier.bad, self.earlier.count)
        self.progress = Progress(self.tally, self.app.fleet, shown=self.job.progress is not False)
        self.order = Order(self._write, self._read, ordered=self.job.ordered)

    # ---------------------------------------------------------------- tasks

    def is_wanted(self, begun: BatchTask) -> bool:
        """Whether the run that a line has begun is still of use."""
        same = begun.line <= len(self.digests) and begun.digest == f"{self.digests[begun.line - 1]:016x}"
        return not (same and self.earlier.done[begun.line - 1]) and begun.run not in self.earlier.moved

    async def _tasks(self) -> AsyncIterator[LineTask]:
        """The lines that have no result yet. Bad lines get theirs at once."""
        self.file.seek(0)
        for number, text in lines_of(self.file):
            if number <= len(self.earlier.done) and self.earlier.done[number - 1]:
                continue
            read = read_line(number, text, self.job.defaults)
            await self.order.begins(read.line)
            if isinstance(read, BadLine):
                self.tally.add_bad()
                await self.order.ends(read.line, line_of_error(read))
            else:
                yield await self._ready(read)

    async def _ready(self, task: LineTask) -> LineTask:
        """A task with its run, if it has begun, and with a note in the journal as soon as it begins."""
        line = task.line
        watch = Watch(on_begin=lambda run: self.record.begins(run, line.number, line.digest))
        run = self.record.take(line.number, line.digest)
        view = RunView.of(await self.app.journal.read(run=run)) if run else RunView()
        before = (view.requests, view.output_tokens)
        return LineTask(task.text, task.thread, task.files, task.options, run, self.job.again, watch, line, before)

    # ---------------------------------------------------------------- results

    def _write(self, text: bytes) -> None:
        self.results.write(text)
        if not self.record.has_written:
            self.results.flush()
            self.record.writes()

    def _result(self, line: Line, answer: Answer) -> bytes:
        more: dict[str, Any] = {"extracted": first_block(answer.text or "")} if self.job.extract else {}
        return line_of_answer(line, answer, more)

    async def _read(self, line: Line, run: str) -> bytes:
        return self._result(line, Answer.of(RunView.of(await self.app.journal.read(run=run))))

    async def to_end(self, options: Options) -> int:
        """Run every task, or as many as possible, and say how it ended."""
        begun, code, reason = time.monotonic(), 0, ""
        if self.earlier.count or not self.record.is_new:
            self.progress.say(f"The batch goes on: {self.earlier.count:,} of {_are(self.tally.total)} in {self.job.out}.")
        if self.app.rehearsed:
            self.progress.say("[rehearsal: scripted models answer; no model is asked]")
        if self.earlier.stale:
            self.progress.say(f"The lines of {counted(self.earlier.stale, 'result')} are changed or gone: what they had leaves the file.")
        try:
            try:
                with redirect_stdout(sys.stderr):  # tools may print
                    async with self.progress.alive():
                        await self._work_off()
            except asyncio.CancelledError:
                cast("asyncio.Task[Any]", asyncio.current_task()).uncancel()
                code, reason = 130, "Interrupted."
            except NoHost as error:
                code, reason = 4, error.message
            if not self.earlier.is_tidy:
                self.results.put_in_order(self.digests)
        except NotWritten as error:
            code, reason = 1, error.message
        code = code or int(self.tally.missed > 0)
        self._tell(options, reason, time.monotonic() - begun)
        return code

    async def _work_off(self) -> None:
        batch = Batch(self.app, self._tasks(), concurrency=self.job.concurrency, options=self.job.defaults.options, tell=self.progress.say)
        async with aclosing(cast("Any", aiter(batch))) as ended:
            async for task, answer in ended:
                self.tally.add(answer, task.before)
                await self.order.ends(task.line, self._result(task.line, answer), answer.run)

    def _tell(self, options: Options, reason: str, seconds: float) -> None:
        tally, written = self.tally, self.tally.done - self.order.waiting
        if options.json:
            print_json(
                {
                    "version": 1, "batch": self.record.batch, "out": str(self.results.path), "tasks": tally.total, "written": written,
                    "earlier": tally.earlier, "statuses": dict(tally.statuses), "bad": tally.bad, "model_calls": tally.model_calls,
                    "output_tokens": tally.output_tokens, "seconds": round(seconds, 3), "reason": reason or None,
                    "next": self._command(again=self.job.again) if reason else self._command(again=True) if tally.missed else None,
                }
            )  # fmt: skip
        if reason:
            click.echo(f"mmos: {reason} {written:,} of {_are(tally.total)} in {self.job.out}. Go on with:", err=True)
            click.echo(f"      {self._command(again=self.job.again)}", err=True)
            return
        cost = f"{counted(tally.model_calls, 'model call')}, {counted(tally.output_tokens, 'token')}, {whole_seconds(seconds)}"
        click.echo(f"mmos: {tally.words()}. {cost}. Results: {self.job.out}", err=True)
        if tally.missed:
            click.echo(f"      Run those without an answer again: {self._command(again=True)}", err=True)

    def _command(self, *, again: bool) -> str:
        """The command that goes on, or that also runs again what has no answer."""
        given = [word for word in sys.argv[1:] if word != "--again"]
        return shlex.join(["mmos", *given, *(["--again"] if again else [])])


def _are(total: int) -> str:
    return f"{counted(total, 'result')} {'is' if total == 1 else 'are'}"

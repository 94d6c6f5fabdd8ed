"""The part of an app that explains failures: of a run, of a log, or of a block of a program."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from mmos.app.diagnosing import Asked, by_rules, diagnose, examine
from mmos.app.diagnosis import Diagnosis, Failure
from mmos.app.lifecycle import RunOptions, Watch
from mmos.app.log import Log
from mmos.app.wiring import DIAGNOSIS
from mmos.diagnosis.profile import profile
from mmos.errors import HostError, MmosError, NotFound
from mmos.events import Reason, RunStarted
from mmos.journal import Journal
from mmos.threads import on_thread
from mmos.views.as_log import as_log
from mmos.views.listing import RUN_KINDS, STARTS, find_run, runs

FAILED = frozenset({"failed", "partial", "interrupted"})


class Source(Asked, Protocol):
    """What explaining needs of an app."""

    @property
    def journal(self) -> Journal: ...


class Explaining:
    """Explains failures."""

    async def diagnose(
        self: Source,
        run: str | None = None,
        *,
        log: str | bytes | Path | Log | None = None,
        good: str | bytes | Path | Log | None = None,
        options: RunOptions | None = None,
        watch: Watch | None = None,
        rules_only: bool = False,
    ) -> Diagnosis:
        """Find out why a run failed, or what a log shows. When no model can be asked, what rules know remains: see `Diagnosis.reason`.

        Secrets in the log are masked before a model reads it. MMOS quotes the evidence from the log, never from the answer of the model.

        Args:
            run: The id of a run, or its first or last characters. None, without a `log`: the newest run that failed.
            log: The text of a log, or the path of a file with one.
            good: The log of a run that passed, to compare with.
            options: Limits and other models.
            watch: Callbacks for the progress.
            rules_only: Ask no model.

        Example::

            diagnosis = await app.diagnose(log="connect: connection refused")
            print(diagnosis.text())
        """
        failure = Failure("run", *await run_log(self.journal, run)) if log is None else _of_log(log)
        if good is not None:
            failure = replace(failure, good=await on_thread(profile, _of_log(good).log.blocks()))
        if rules_only:
            return by_rules(failure, await on_thread(examine, failure))
        return await diagnose(self, failure, options or RunOptions(), watch or Watch())

    def diagnosing(
        self: Source, name: str, *, log: Path | None = None, options: RunOptions | None = None, rules_only: bool = False
    ) -> Step:
        """Explain an exception of an `async with` block. The exception passes on, with the diagnosis as a note and as its `diagnosis`.

        Args:
            name: What the block does, for the model.
            log: A file into which the block writes.
            options: Limits and other models.
            rules_only: Ask no model.

        Example::

            async with app.diagnosing("deploy"):
                print("Deploying.")
        """
        return Step(self, name, log, options or RunOptions(), rules_only=rules_only)


class Step:
    """A block of a program whose failure is explained."""

    def __init__(self, app: Source, name: str, log: Path | None, options: RunOptions, *, rules_only: bool) -> None:
        self._app = app
        self._name = name
        self._log = log
        self._options = options
        self._rules_only = rules_only

    async def __aenter__(self) -> Step:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, Exception):
            diagnosis = await self._explained(error)
            error.add_note(f"{self._name}: {diagnosis.text()}")
            error.diagnosis = diagnosis  # type: ignore[attr-defined]  # for who handles it

    async def _explained(self, error: Exception) -> Diagnosis:
        written = self._log.read_bytes() if self._log is not None and self._log.is_file() else b""
        text = "".join(traceback.format_exception(error)).encode(errors="replace")
        failure = Failure("step", self._name, Log.of(written + (b"" if written.endswith(b"\n") or not written else b"\n") + text))
        if not self._rules_only:
            return await explained(self._app, failure, self._options, Watch())
        return by_rules(failure, await on_thread(examine, failure))


async def explained(app: Asked, failure: Failure, options: RunOptions, watch: Watch) -> Diagnosis:
    """The diagnosis of a failure. An error of MMOS takes its place nowhere: then the rules remain."""
    try:
        return await diagnose(app, failure, options, watch)
    except MmosError as error:
        return without_model(failure, error)


def without_model(failure: Failure, error: MmosError) -> Diagnosis:
    code = "no_host" if isinstance(error, HostError) else error.code
    return by_rules(failure, examine(failure), Reason(code, error.message, error.next_step))


def _of_log(log: str | bytes | Path | Log) -> Failure:
    if isinstance(log, Path):
        return Failure("log", log.name, Log.of(log))
    return Failure("log", "given", log if isinstance(log, Log) else Log.of(log))


async def run_log(journal: Journal, run: str | None) -> tuple[str, Log]:
    """The id of a run of the journal, and the run as a log. None: the newest that failed."""
    name = await newest_failed(journal) if run is None else find_run(await journal.read(kinds=STARTS), run)
    return name, Log.of(as_log(await journal.read(run=name)))


async def newest_failed(journal: Journal) -> str:
    """The id of the newest run that failed, or was cut off. Runs that explain failures do not count."""
    known = await journal.read(kinds=RUN_KINDS)
    explaining = {entry.run for entry in known if isinstance(entry.event, RunStarted) and entry.event.options.get("role_only") == DIAGNOSIS}
    failed = [row.run for row in runs(known, journal.alive, 0.0) if row.status in FAILED and row.run not in explaining]
    if not failed:
        raise NotFound("No run has failed.", next_step="Name what failed: mmos diagnose RUN, --log FILE, or -- COMMAND.")
    return failed[-1]

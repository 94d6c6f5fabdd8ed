"""What the user wants of a diagnosis, and how it is printed."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from mmos.cli.options import Options
from mmos.cli.output import print_json, write_unchanged
from mmos.cli.styles import style
from mmos.cli.text import harmless

if TYPE_CHECKING:
    from mmos.app import RunOptions
    from mmos.app.diagnosis import Diagnosis
    from mmos.config.load import Config
    from mmos.diagnosis.places import Place

SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True)
class Job:
    """The options of one call of `mmos diagnose`."""

    options: Options
    form: str
    seconds: float
    roles: dict[str, str]
    rules_only: bool = False
    report: Path | None = None
    good: str | None = None
    pattern: str = ""
    """The pattern that explains it."""
    by_pattern: bool = False
    """Whether the usual pattern of the configuration explains it, if the user names none."""

    def run_options(self, config: Config) -> RunOptions:
        from mmos.app import RunOptions

        return RunOptions(timeout=self.seconds, roles=self.roles or None, pattern=self.pattern or self._usual(config))

    def _usual(self, config: Config) -> str | None:
        from mmos.cli.modify.ways import usual_patterns

        return next(iter(usual_patterns(config)), None) if self.by_pattern else None


def show(job: Job, diagnosis: Diagnosis, stream: TextIO) -> None:
    """Print a diagnosis in the form that the user wants. A document is always alone on stdout."""
    from mmos.cli.diagnose import ci

    place = _place_of(diagnosis)
    if job.form == "json":
        print_json({**diagnosis.document(), "place": {"path": place.path, "line": place.line} if place else None})
    elif job.form == "github":
        write_unchanged(ci.github(diagnosis, place), stream)
        if os.environ.get(SUMMARY):
            ci.summarise(ci.markdown(diagnosis, place), os.environ[SUMMARY])
    elif job.form == "gitlab":
        write_unchanged(ci.gitlab(diagnosis, place, time.time()), stream)
    else:
        click.echo(style(harmless(f"mmos: {diagnosis.failure.title}"), "bold"), file=stream)
        for line in diagnosis.text(str(place or "")).split("\n"):
            click.echo(harmless(line), file=stream)
    if job.report is not None:
        job.report.write_text(ci.code_quality(diagnosis, place), encoding="utf-8")
    stream.flush()


def _place_of(diagnosis: Diagnosis) -> Place | None:
    from mmos.cli.diagnose import ci

    try:
        return ci.place_of(diagnosis, Path.cwd())
    except OSError:  # the working folder is gone, or the log
        return None


def note(job: Job, text: str) -> None:
    """Say something beside the result, at a terminal."""
    if sys.stderr.isatty() and job.form == "text":
        click.echo(style(f"mmos: {text}", "dim"), err=True)

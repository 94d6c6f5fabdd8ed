"""Rewrites files for `mmos modify`: asks the models, shows the result, and writes what the user takes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from mmos.app import App, RunOptions
from mmos.app.modifying import ModifyOptions, Rewrite, Way, modify
from mmos.cli.app import app_of
from mmos.cli.modify.progress import Progress
from mmos.cli.modify.review import Taken, review, typed
from mmos.cli.modify.show import document, show_diff, show_members, summary
from mmos.cli.modify.undoing import settle
from mmos.cli.modify.ways import Asked, ways_of
from mmos.cli.modify.written import Checked, write
from mmos.cli.options import Options
from mmos.cli.output import print_json
from mmos.cli.styles import style
from mmos.cli.text import flat
from mmos.plurals import counted
from mmos.rewriting.sources import Source, sources_of, tree_of
from mmos.views.document import UNSERVED


@dataclass(frozen=True)
class Job:
    """What the command line says."""

    instruction: str
    paths: tuple[str, ...]
    ways: Mapping[str, Any]
    apply: bool = False
    compare: bool = False
    validate: bool = False
    quality_threshold: float | None = None
    timeout: float | None = None
    agentic: bool = False
    time_scale: float | None = None


@dataclass
class Work:
    """One call of the command."""

    options: Options
    job: Job
    tree: Path = field(default_factory=lambda: tree_of(Path.cwd()))
    rewrites: list[Rewrite] = field(default_factory=list)
    command: Sequence[str] = ()
    """The test command of the project, if it has one and it is wanted."""

    async def ask(self) -> None:
        """Have the files rewritten. Files that cannot be are said before any model is asked."""
        settle(self.options, self.tree)
        sources = sources_of(self.job.paths, self.tree)
        options = replace(self.options, time_scale=self.job.time_scale)
        async with app_of(options) as app:
            ways = ways_of(Asked(**self.job.ways, validate=self.job.validate, timeout=self.job.timeout), app.config)
            for way in ways:
                app.cast(way.options)  # what no run could do is said once, before any model is asked
            self.command = app.config.orchestration.quality.command if self.job.validate else ()
            out = sys.stdout
            with redirect_stdout(sys.stderr):  # tools may print
                sources = sources or await self._found(app, ways[0].options)
                self.rewrites = await self._rewritten(app, ways, sources, Progress(len(sources), app.config, self.options.json, out))

    async def _found(self, app: App, options: RunOptions) -> list[Source]:
        """The files that a model names after it has looked."""
        from mmos.app.finding_files import find

        if not self.options.json:
            click.echo("mmos: A model looks for the files that must change.", err=True)
        progress = Progress(1, app.config, self.options.json)
        paths = await find(app, self.job.instruction, self.tree, options, progress.say)
        click.echo(
            f"mmos: found {counted(len(paths), 'file')}: {', '.join(flat(str(path.relative_to(self.tree))) for path in paths)}", err=True
        )
        return sources_of(paths, self.tree)

    async def _rewritten(self, app: App, ways: Sequence[Way], sources: Sequence[Source], progress: Progress) -> list[Rewrite]:
        options = ModifyOptions(
            tuple(ways), self.job.validate, self.job.quality_threshold, on_event=progress.on_event, on_end=progress.on_end
        )
        async with progress.alive():
            if not self.job.compare or len(ways) == 1:
                return await modify(app, self.job.instruction, sources, options)
            each = [await modify(app, self.job.instruction, sources, replace(options, ways=(way,))) for way in ways]
        return [best_of(of_file) for of_file in zip(*each, strict=True)]

    # ---------------------------------------------------------------- the result

    def finish(self) -> int:
        """Show the result, write what is taken, and return the exit code."""
        refused = [rewrite for rewrite in self.rewrites if rewrite.new is None]
        changed = [rewrite for rewrite in self.rewrites if rewrite.is_changed]
        takes_all = self.job.apply and not refused
        is_asked = not (self.job.apply or self.options.json) and sys.stdin.isatty() and sys.stdout.isatty()
        if not self.options.json:
            self._show(is_asked=is_asked)
        wanted = [Taken(rewrite, rewrite.new or "") for rewrite in changed] if takes_all else []
        if is_asked and changed:
            wanted = review(self.rewrites, typed)
        checked = write(self.options, self.tree, wanted, self.command) if wanted else None
        self._conclude(wanted, checked, refused, changed)
        return self._code(refused, checked)

    def _show(self, *, is_asked: bool) -> None:
        for rewrite in self.rewrites:
            if self.job.compare:
                show_members(rewrite)
            if rewrite.is_changed and rewrite.new is not None and not is_asked:
                show_diff(rewrite.source.name, rewrite.source.text.text, rewrite.new)
            if not (is_asked and rewrite.is_changed):
                line = f"mmos: {summary(rewrite)}"
                click.echo(style(line, "error") if rewrite.new is None else line, err=True)
                if rewrite.next_step:
                    click.echo(f"      {rewrite.next_step}", err=True)

    def _conclude(self, wanted: Sequence[Taken], checked: Checked | None, refused: Sequence[Rewrite], changed: Sequence[Rewrite]) -> None:
        """Say what was written, and what was not and why."""
        status = "shown" if checked is None else "applied" if checked.passed else "put_back"
        if self.options.json:
            print_json(document(self.rewrites, status=status, checked=checked.document() if checked else None))
        elif checked is not None:
            click.echo(f"mmos: {checked.text(wanted)}", err=True)
        elif self.job.apply and refused and changed:
            click.echo(f"mmos: Nothing was written, because {counted(len(refused), 'file')} could not be rewritten.", err=True)
        elif changed:
            next_step = "" if self.job.apply else " Add --apply to write it." if not sys.stdout.isatty() else ""
            click.echo(f"mmos: Nothing was written.{next_step}", err=True)

    def _code(self, refused: Sequence[Rewrite], checked: Checked | None) -> int:
        reasons = [answer.reason.code for rewrite in refused for answer in rewrite.answers[-1:] if answer.reason]
        if reasons and all(code in UNSERVED for code in reasons):
            return 4
        return int(bool(refused) or (checked is not None and not checked.passed))


def best_of(rewrites: Sequence[Rewrite]) -> Rewrite:
    """Of several rewrites of a file the one with the best score, the first of equals. It tells of all."""
    usable = [rewrite for rewrite in rewrites if rewrite.new is not None]
    best = max(usable, key=lambda rewrite: rewrite.after.score) if usable else rewrites[0]
    members = {rewrite.way: rewrite.new or "" for rewrite in rewrites}
    notes = (*best.notes, f"taken from {best.way}") if usable else best.notes
    return replace(best, members=members, notes=notes, answers=tuple(answer for rewrite in rewrites for answer in rewrite.answers))

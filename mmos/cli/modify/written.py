"""Writes the files that the user takes, runs the test command of the project, and puts the files back if it fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import Any

import click

from mmos.cli.modify.review import Taken
from mmos.cli.options import Options
from mmos.cli.text import flat
from mmos.journal.ids import new_id
from mmos.plurals import counted
from mmos.rewriting import writing

NOT_RUN = 127
"""The exit code of a shell for a command that it does not find."""


@dataclass(frozen=True)
class Checked:
    """That files were written, and what the test command of the project said."""

    command: Sequence[str] = ()
    code: int = 0
    others: Sequence[str] = ()
    """Files that the test command itself changed, so that they were not put back."""

    @property
    def passed(self) -> bool:
        return self.code == 0

    def text(self, wanted: Sequence[Taken]) -> str:
        names = ", ".join(flat(taken.rewrite.source.name) for taken in wanted)
        if self.passed:
            tested = f" {join(self.command)} passes." if self.command else ""
            return f"Wrote {counted(len(wanted), 'file')}: {names}.{tested} Take it back with: mmos modify --undo"
        left = f" Not put back, because the command changed them: {', '.join(map(flat, self.others))}." if self.others else ""
        return f"{join(self.command)} failed with exit code {self.code}, so the old files are back: {names}.{left}"

    def document(self) -> dict[str, Any] | None:
        return {"words": list(self.command), "exit_code": self.code} if self.command else None


def write(options: Options, tree: Path, wanted: Sequence[Taken], command: Sequence[str]) -> Checked:
    """Write all files or none. `command`: if it fails, none."""
    changes = [writing.Change(taken.rewrite.source, taken.rewrite.source.text.bytes_of(taken.text)) for taken in wanted]
    written = writing.write(changes, options.found_state(), tree, new_id())
    if not command:
        written.finish()
        return Checked()
    try:
        code = _run(command, tree)
    except KeyboardInterrupt:
        written.undo()
        raise
    if code:
        return Checked(command, code, written.undo())
    written.finish()
    return Checked(command)


def _run(command: Sequence[str], tree: Path) -> int:
    """Run the test command in the working tree. Its output goes to stderr: stdout holds the result."""
    click.echo(f"mmos: running {join(command)} …", err=True)
    sys.stderr.flush()
    try:
        return subprocess.run(command, cwd=tree, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), check=False).returncode
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        click.echo(f"mmos: {flat(command[0])}: {reason}. Look at quality.command of the configuration.", err=True)
        return NOT_RUN

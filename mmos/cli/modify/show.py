"""Shows what a rewrite changes: a diff with colours, the score beside it, and the results of several members beside each other."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from mmos.app.modifying import Rewrite
from mmos.cli.output import write_unchanged
from mmos.cli.sides import pairs, sides
from mmos.cli.styles import Style, style
from mmos.cli.text import flat
from mmos.plurals import counted
from mmos.rewriting.lines import hunks, unified

STYLES: dict[str, Style] = {"+": "ok", "-": "error", "@": "accent"}


def show_diff(name: str, old: str, new: str) -> None:
    """Print a diff. In a pipe it has no colours, and nothing of it is changed."""
    for line in unified(name, old, new):
        echo_line(line, is_head=line.startswith(("--- ", "+++ ")))


def echo_line(line: str, *, is_head: bool = False) -> None:
    if not sys.stdout.isatty():
        write_unchanged(f"{line}\n")
        return
    kind: Style | None = "bold" if is_head else STYLES.get(line[:1])
    click.echo(style(visible(line), kind) if kind else visible(line))


def visible(line: str) -> str:
    """A line for a terminal. What a model hides in it shows."""
    return "".join(sign if sign == "\t" or sign.isprintable() else f"\\x{ord(sign):02x}" for sign in line)


def summary(rewrite: Rewrite) -> str:
    """What became of a file, on one line."""
    name = flat(rewrite.source.name)
    if rewrite.new is None:
        return f"{name}: refused. {flat(rewrite.why)}"
    if not rewrite.is_changed:
        return f"{name}: nothing to change"
    added, removed = counts(rewrite.source.text.text, rewrite.new)
    notes = "".join(f"; {flat(note)}" for note in dict.fromkeys(rewrite.notes))
    return f"{name}: +{added} -{removed}, {quality(rewrite)}{notes}"


def quality(rewrite: Rewrite) -> str:
    before, after = rewrite.before, rewrite.after
    score = f"{after.score:.2f}" if after.score == before.score else f"{before.score:.2f} → {after.score:.2f}"
    errors = len(list(after.new_errors(before)))
    return f"quality {score}" + (f" ({counted(errors, 'new error')})" if errors else "")


def counts(old: str, new: str) -> tuple[int, int]:
    found = hunks(old, new)
    return sum(hunk.added for hunk in found), sum(hunk.removed for hunk in found)


def show_members(rewrite: Rewrite) -> None:
    """Print what each member has made of the file: a table, and the diffs of two at a time beside each other."""
    from mmos.app.grading import grade
    from mmos.cli.tables import table

    old, rows = rewrite.source.text.text, []
    for name, text in rewrite.members.items():
        added, removed = counts(old, text) if text else (0, 0)
        score = f"{grade(rewrite.source.name, text).score:.2f}" if text else "-"
        rows.append((flat(name), f"+{added} -{removed}" if text else "not the file", score, "same" if text == rewrite.new else ""))
    if not rows:
        return
    table(("MEMBER", "CHANGES", "QUALITY", "AS THE RESULT"), rows)
    for names in pairs([name for name, text in rewrite.members.items() if text]):
        click.echo()
        diffs = ["\n".join(unified(rewrite.source.name, old, rewrite.members[name])[2:]) or "(nothing to change)" for name in names]
        for line in sides(names, diffs):
            click.echo(line)
    click.echo()


def document(rewrites: Sequence[Rewrite], *, status: str, checked: dict[str, Any] | None) -> dict[str, Any]:
    """The whole result, as `--json` prints it."""
    return {"version": 1, "status": status, "files": [_file(rewrite) for rewrite in rewrites], "command": checked}


def _file(rewrite: Rewrite) -> dict[str, Any]:
    old, new = rewrite.source.text.text, rewrite.new
    added, removed = counts(old, new) if new is not None else (0, 0)
    status = "refused" if new is None else "changed" if rewrite.is_changed else "unchanged"
    return {
        "file": rewrite.source.name,
        "status": status,
        "by": rewrite.way,
        "why": rewrite.why or None,
        "next": rewrite.next_step or None,
        "notes": list(rewrite.notes),
        "added": added,
        "removed": removed,
        "diff": _joined(unified(rewrite.source.name, old, new)) if new is not None else "",
        "quality": {"before": rewrite.before.score, "after": rewrite.after.score, "new_errors": _errors(rewrite)},
        "members": [
            {"name": name, "diff": _joined(unified(rewrite.source.name, old, text)) if text else None}
            for name, text in rewrite.members.items()
        ],
        "runs": list(rewrite.runs),
    }


def _errors(rewrite: Rewrite) -> list[str]:
    return [finding.message for finding in rewrite.after.new_errors(rewrite.before)]


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)

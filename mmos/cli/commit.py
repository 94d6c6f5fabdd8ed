"""`mmos commit`: writes the message of a commit for what is staged, and commits when you say so."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, Seconds, run_to_end, shared_options, time_scale
from mmos.cli.output import print_json, write_unchanged
from mmos.cli.styles import style
from mmos.cli.text import harmless
from mmos.errors import UsageError
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.app import Answer
    from mmos.app.committing import Staged
    from mmos.rewriting.message import CommitMessage

MOST = 24_000
"""Characters of a diff that a model reads. Of a longer one it reads the beginning of each file."""
LEAST = 400


@click.command()
@click.option(
    "--pipeline", default="", metavar="P", help="The pattern that writes the message. Default: defaults.pattern, or the arbiter's model."
)
@click.option("--model", default="", metavar="M[@HOST]", help="Let this model write it.")
@click.option("--yes", is_flag=True, help="Commit without asking.")
@click.option("--timeout", type=Seconds(), metavar="S", help="The longest time for the message, like 90 or 5m.")
@time_scale
@shared_options
def commit(options: Options, /, *, pipeline: str, model: str, yes: bool, timeout: float | None, time_scale: float | None) -> int:
    """Write the message of a commit for what is staged.

    At a terminal MMOS asks whether it shall commit, and lets you edit the message. In a pipe it only prints the message, unless you add --yes.

    \b
    git add -p && mmos commit
    mmos commit --yes
    git commit -F <(mmos commit)

    Exit codes: 0 a message was written; 1 no message, or git refused; 2 nothing is staged; 4 no host can serve; 130 interrupted.
    """
    staged = staged_changes()
    if staged.left_out and not options.json:
        click.echo(
            f"mmos: The diff is long: the model does not read {counted(staged.left_out, 'line')} of it, only the list of files.", err=True
        )
    found = run_to_end(lambda: _asked(replace(options, time_scale=time_scale, timeout=timeout), staged, pipeline, model))
    message, answer = found
    if message is None:
        return _failed(options, answer)
    if not options.json:
        write_unchanged(f"{message}\n")
        sys.stdout.flush()
    text = str(message) if yes else _agreed(str(message)) if not options.json else None
    code = _commit(text) if text else 0
    if options.json:
        print_json(
            {
                "version": 1,
                "subject": message.subject,
                "body": message.body,
                "committed": bool(text) and code == 0,
                "run": answer.run,
                "reason": None,
            }
        )
    return code


async def _asked(options: Options, staged: Staged, pipeline: str, model: str) -> tuple[CommitMessage | None, Answer]:
    from mmos.app import Watch
    from mmos.app.committing import commit_message
    from mmos.cli.app import app_of
    from mmos.cli.modify.ways import Asked, ways_of

    async with app_of(options) as app:
        (way,) = ways_of(Asked([pipeline] * bool(pipeline), model, timeout=options.timeout), app.config)
        return await commit_message(app, staged, way.options, Watch())


def _failed(options: Options, answer: Answer) -> int:
    reason = answer.reason
    if options.json:
        document = answer.document()
        print_json({"version": 1, "subject": None, "body": None, "committed": False, "run": answer.run, "reason": document["reason"]})
    why = f"{reason.message}\n      {reason.next}".rstrip() if reason else "The model wrote no message."
    click.echo(f"mmos: {harmless(why)}", err=True)
    return answer.exit_code or 1


def _agreed(message: str) -> str | None:
    """The message that the user wants to commit with. None: no commit."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    while True:
        click.echo(style("Commit with this message [y,e,n]? ", "info"), nl=False, err=True)
        try:
            key = input().strip().lower()[:1]
        except EOFError:
            return None
        if key == "y":
            return message
        if key == "n":
            return None
        if key == "e":
            message = (click.edit(message) or message).strip()
            click.echo(harmless(message))
        else:
            click.echo("y  commit\ne  edit the message first\nn  do not commit", err=True)


# ---------------------------------------------------------------- git


@dataclass(frozen=True)
class _Ended:
    code: int
    out: str
    err: str


def staged_changes() -> Staged:
    """What is staged. Raises `UsageError` if nothing is, or if there is no git."""
    from mmos.app.committing import Staged

    plain = ("diff", "--cached", "--no-color", "--no-ext-diff", "--no-textconv")
    inside = _git("rev-parse", "--is-inside-work-tree")
    if inside.code:
        raise UsageError("This folder is in no git repository.", next_step="Go to your project, or make one: git init")
    files = _git(*plain, "--stat=100")
    if files.code:
        raise UsageError(f"git: {files.err.strip()[:300] or 'it cannot show what is staged.'}")
    if not files.out.strip():
        raise UsageError("Nothing is staged.", next_step="Stage what the commit shall contain: git add -p")
    diff, left_out = shortened(_git(*plain).out)
    listed, more = shortened(files.out, MOST // 4)
    return Staged(listed.rstrip(), diff.rstrip("\n"), left_out + more)


def shortened(diff: str, most: int = MOST) -> tuple[str, int]:
    """The diff, or the beginning of each of its files if it is long, and the number of lines that are left out."""
    if len(diff) <= most:
        return diff, 0
    parts = [f"diff --git {part}" if number else part for number, part in enumerate(f"\n{diff}".split("\ndiff --git "))]
    parts = [part for part in parts if part.strip()]
    share = max(LEAST, most // max(1, len(parts)))
    kept: list[str] = []
    room = most
    for part in parts:
        kept.append(part[: max(0, min(share, room))].rpartition("\n")[0] if len(part) > min(share, room) else part)
        room -= len(kept[-1])
    text = "\n".join(part for part in kept if part)
    return text, diff.count("\n") - text.count("\n")


def _commit(message: str) -> int:
    """Commit. What git and its hooks say goes to stderr."""
    program = _program()
    sys.stderr.flush()
    try:
        ended = subprocess.run([program, "commit", "-F", "-"], input=message.encode(), stdout=sys.stderr.fileno(), check=False)
    except OSError as error:
        raise UsageError(f"git: {(error.strerror or str(error)).lower()}.") from None
    return int(ended.returncode != 0)


def _git(*words: str) -> _Ended:
    try:
        ended = subprocess.run([_program(), *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"git: {(error.strerror or str(error)).lower()}.") from None
    return _Ended(ended.returncode, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace"))


def _program() -> str:
    if (program := shutil.which("git")) is None:
        raise UsageError("There is no git on this machine.", next_step="Install it, or write the message yourself.")
    return program

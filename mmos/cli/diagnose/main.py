"""`mmos diagnose`: explains why a command, a log or a run failed, and what to try."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.lines import jsonl_option
from mmos.cli.options import AnyPath, Options, Seconds, options_of, shared_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FORMATS = ("text", "json", "github", "gitlab")
COMMAND = "mmos.diagnose.command"
TOKENS = 4000
TIMEOUT = 300.0
"""Seconds that an explanation may take, unless the user says something else. A job must not wait for ever."""


class DiagnoseCommand(click.Command):
    """Takes everything after `--` as a command of the user, with its own options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            cut = args.index("--")
            ctx.meta[COMMAND], args = args[cut + 1 :], args[:cut]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """After `--`, files: the words of the user's command are not ours."""
        if COMMAND in ctx.meta:
            from click.shell_completion import CompletionItem

            return [CompletionItem(incomplete, type="file")]
        return super().shell_complete(ctx, incomplete)


inputs = options_of(
    click.option("--log", type=AnyPath(), metavar="FILE|-", help="Diagnose this log. `-` is stdin."),
    click.option(
        "--good",
        type=AnyPath(),
        metavar="FILE",
        help="The log of a run that passed: what both have is no cause. For a command, MMOS remembers what it printed when it last passed.",
    ),
)
outputs = options_of(
    click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        help="text (default), json, github (annotations, and a job summary), or gitlab (a section).",
    ),
    click.option("--report", type=AnyPath(), metavar="FILE", help="Also write a Code Quality report for GitLab to this file."),
)
without_model = options_of(
    click.option("--rules-only", is_flag=True, help="Ask no model: only rules, and the lines that most likely name the cause."),
    click.option("--select", is_flag=True, help="Only show which lines of the log a model would read."),
    click.option(
        "--tokens",
        type=click.IntRange(100, 1_000_000),
        default=TOKENS,
        show_default=True,
        metavar="N",
        help="With --select: how many tokens of the log.",
    ),
    jsonl_option('With --rules-only or --select: read JSON lines, each {"log": "…"}'),
)


@click.command(cls=DiagnoseCommand, options_metavar="[OPTIONS]")
@click.argument("run", required=False, metavar="[RUN | -- COMMAND...]")
@inputs
@outputs
@without_model
@click.option("--timeout", type=Seconds(), metavar="S", help="End the explanation after this time, like 90 or 5m. Default: 5m.")
@click.option("--role", "roles", multiple=True, metavar="R=MODEL[@HOST]", help="Use another model for a role. Repeatable.")
@shared_options
@click.pass_context
def diagnose(context: click.Context, /, options: Options, run: str | None, **arguments: Any) -> int:
    """Explain why something failed: a command, a log, or a run of MMOS.

    Give a command after `--`. MMOS runs it, passes on its output and its exit code, and says nothing when it passes. When it fails, a
    reasoning model reads its output. MMOS quotes the lines that show the cause, and says what to try, on stderr. With --json the document
    is on stdout, and the output of the command goes to stderr. Without arguments: the newest run that failed.

    \b
    mmos diagnose -- make test
    mmos diagnose --log build.log
    mmos diagnose 9F3K
    mmos diagnose --rules-only --log build.log --json

    Exit codes: that of the command. Otherwise 0, or as for `mmos run` when no model could explain it.
    """
    from mmos.cli.diagnose import work

    command: list[str] | None = context.meta.get(COMMAND)
    if arguments["jsonl"] is not None:
        return work.lines(run or arguments["jsonl"], select=_selects(arguments), tokens=arguments["tokens"])
    given = [name for name, value in (("RUN", run), ("--log", arguments["log"]), ("a command", command)) if value is not None]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} cannot be used together: each names what failed. Give one of them.")
    if command == []:
        raise click.UsageError("The command after -- is missing. Write it: mmos diagnose -- make test")
    job = _job(options, arguments)
    if arguments["select"]:
        if arguments["log"] is None:
            raise click.UsageError("--select shows lines of a log. Give one: --log FILE")
        return work.show_selection(job, arguments["log"], arguments["tokens"])
    if command is not None:
        from mmos.cli.diagnose.command import watch

        return watch(job, command)
    return work.explain(job, run, arguments["log"])


def _selects(arguments: dict[str, Any]) -> bool:
    if arguments["select"] == arguments["rules_only"]:
        raise click.UsageError("--jsonl goes with one of --select and --rules-only.")
    return bool(arguments["select"])


def _job(options: Options, arguments: dict[str, Any]) -> Any:
    from mmos.cli.diagnose.job import Job
    from mmos.cli.run import parse_roles

    form = arguments["form"] or ("json" if options.json else "text")
    if options.json and form != "json":
        raise click.UsageError(f"--json and --format {form} cannot be used together. Give one of them.")
    seconds = arguments["timeout"] or TIMEOUT
    options = replace(options, json=form == "json", timeout=arguments["timeout"])
    report = None if arguments["report"] is None else Path(arguments["report"])
    return Job(
        options, form, seconds, parse_roles(arguments["roles"]), rules_only=arguments["rules_only"], report=report, good=arguments["good"]
    )

"""`mmos check -- COMMAND…`: runs a build or a test, and lets several models explain why it failed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from mmos.cli.diagnose.main import COMMAND, FORMATS, TIMEOUT, DiagnoseCommand
from mmos.cli.options import Options, Seconds, shared_options

MISSING = "The command is missing. Write it after --: mmos check -- make test"


@click.command(cls=DiagnoseCommand, options_metavar="[OPTIONS] -- COMMAND...")
@click.option(
    "--pattern",
    "--multi-model",
    "pattern",
    default="",
    metavar="NAME",
    help="The pattern that explains a failure. Default: defaults.pattern of the configuration, or the reasoning model alone.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="As for `mmos diagnose`: text (default), json, github or gitlab.")
@click.option("--timeout", type=Seconds(), metavar="S", help="End the explanation after this time, like 90 or 5m. Default: 5m.")
@shared_options
@click.pass_context
def check(context: click.Context, /, options: Options, pattern: str, form: str | None, timeout: float | None) -> int:
    """Run a command, pass on its output and its exit code, and explain its failure with several models.

    It is `mmos diagnose -- COMMAND`, and a pattern reads the output. MMOS says nothing when the command passes.

    \b
    mmos check -- make test
    mmos check --pattern code_review -- pytest -q

    Exit codes: that of the command.
    """
    command: list[str] | None = context.meta.get(COMMAND)
    if not command:
        raise click.UsageError(MISSING)
    from mmos.cli.diagnose.command import watch

    return watch(_job(options, pattern, form or ("json" if options.json else "text"), timeout), command)


def _job(options: Options, pattern: str, form: str, timeout: float | None) -> Any:
    from mmos.cli.diagnose.job import Job

    if options.json and form != "json":
        raise click.UsageError(f"--json and --format {form} cannot be used together. Give one of them.")
    options = replace(options, json=form == "json", timeout=timeout)
    return Job(options, form, timeout or TIMEOUT, {}, pattern=pattern, by_pattern=True)

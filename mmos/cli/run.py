"""`mmos run`: runs one task without a conversation."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.code import first_block
from mmos.cli.options import (
    STRATEGIES,
    Options,
    batch_options,
    limits,
    no_cache,
    run_to_end,
    shared_options,
    time_scale,
    validation,
)
from mmos.cli.output import print_json
from mmos.cli.pattern_options import pattern_of, pattern_options, strategy_of
from mmos.cli.pipeline_lines import PipelineLines
from mmos.cli.rag_options import rag_options
from mmos.cli.task import STDIN, gather
from mmos.cli.text import harmless
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.app import Answer, App, RunOptions
    from mmos.cli.progress import RunDisplay
    from mmos.event import Event
    from mmos.events import Reason
    from mmos.messages import File

_COMMAND = re.compile(r"`(mmos [^`]+)`")


@click.command()
@click.argument("task", required=False)
@click.option(
    "-f",
    "--file",
    "paths",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="Attach a text file or an image to the task. `-` is stdin. Repeatable.",
)
@click.option("--thread", metavar="T", help="Continue the conversation with this name or id. A new name starts one.")
@limits(
    timeout="End the run after this time, like 90 or 5m, and print what there is.",
    turns="Limit the turns of the arbiter.",
    calls="Limit the tool calls of the whole run.",
    questions="What to do when a model asks a question. Default: ask at a terminal, fail in scripts.",
)
@click.option("--role", "roles", multiple=True, metavar="R=MODEL[@HOST]", help="Use another model for a role. Repeatable.")
@click.option("--role-only", default="", metavar="ROLE", help="Let this role answer alone, without the arbiter.")
@click.option("--model", default="", metavar="M[@HOST]", help="Let this model answer alone, without roles, tools and MMOS's prompts.")
@pattern_options
@rag_options
@click.option("--gpu", type=click.IntRange(0, 255), metavar="N", help="Use only servers with this GPU, for all roles that may run on one.")
@click.option("--gpu-strategy", type=click.Choice(STRATEGIES), help="How to choose among the GPUs. Default: gpu.strategy of the configuration.")  # fmt: skip
@click.option(
    "--tool",
    "tools",
    multiple=True,
    metavar="NAME",
    help="Give the model that answers a tool: files, shell, web, or one of the configuration. Repeatable.",
)
@click.option("--system", metavar="TEXT", help="Add instructions for the model that answers.")
@click.option(
    "--schema", type=click.Path(), metavar="FILE|JSON", help="A JSON Schema that the answer must fit. stdout then holds only the JSON."
)
@click.option("-x", "--extract", is_flag=True, help="Print only the first code block of the answer.")
@click.option("--stream/--no-stream", default=None, help="Print the answer as it comes. Default: only at a terminal.")
@click.option(
    "--progress/--no-progress",
    default=None,
    help="Show on stderr which models are at work. Default: only at a terminal. Otherwise a long run prints a line every 30 s. "
    "--no-progress turns off both.",
)
@no_cache
@validation
@batch_options
@time_scale
@shared_options
def run(options: Options, task: str | None, **arguments: Any) -> int:
    """Run one task and print the answer.

    MMOS adds the input on stdin to TASK, as a file named `stdin`. Without TASK, or when TASK is `-`, stdin is the task.

    \b
    mmos run "Write a regex for ISO dates and explain it"
    git diff | mmos run "Review this diff." --json
    mmos run "Do these two agree?" -f README.md -f docs/start.md
    mmos run -x "Write a Makefile for a C project" > Makefile
    mmos run --batch tasks.jsonl --out results.jsonl
    mmos run --ensemble --models llama3.2 --models mistral:7b "Is this plan safe?" -f plan.md
    mmos run "Who wrote Faust?" --schema '{"type": "object", "properties": {"author": {"type": "string"}}, "required": ["author"]}'

    Exit codes: 0 answered, 1 failed, 2 wrong usage or configuration, 3 waiting for you, 4 no host can serve,
    5 a limit was reached, 130 interrupted.
    """
    if arguments["batch"] is not None:
        return _batch(options, task, arguments)
    for name in ("out", "concurrency", "unordered", "again"):
        if arguments[name]:
            raise click.UsageError(f"--{name} goes with --batch only.")
    if arguments["extract"] and arguments["schema"]:
        raise click.UsageError("--extract and --schema cannot be used together: with --schema the answer is JSON. Give one of them.")
    if arguments["stream"] and (arguments["extract"] or arguments["schema"]):
        raise click.UsageError("--stream cannot be used with --schema or --extract: both need the whole answer first.")
    run_options = _options(arguments)
    text, files = gather(task, arguments["paths"])
    options = replace(options, time_scale=arguments["time_scale"], timeout=arguments["timeout"])
    return run_to_end(lambda: _run(options, Task(text, files, arguments["thread"]), run_options, arguments))


def _options(arguments: dict[str, Any]) -> RunOptions:
    from mmos.app import RunOptions

    return RunOptions(
        arguments["timeout"], arguments["max_turns"], arguments["max_calls"], arguments["system"] or "", arguments["on_question"], parse_roles(arguments["roles"]) or None,
        schema=_schema(arguments["schema"]), role_only=arguments["role_only"], model=arguments["model"], gpu=arguments["gpu"],
        gpu_strategy=arguments["gpu_strategy"], strategy=strategy_of(arguments), pattern=pattern_of(arguments), cache=arguments["cache"],
        validate=arguments["validate"], quality_threshold=arguments["quality_threshold"], tools=arguments["tools"] or None,
        rag=arguments["rag"], rag_collection=arguments["rag_collection"], rag_top_k=arguments["rag_top_k"],
    )  # fmt: skip


def _batch(options: Options, task: str | None, arguments: dict[str, Any]) -> int:
    """Run a file of tasks. What the command line says holds for the lines that say nothing else."""
    if task is not None:
        raise click.UsageError(
            "With --batch the tasks are in the file, so TASK must be left out. --system gives all of them an instruction."
        )
    if arguments["out"] is None:
        raise click.UsageError("--batch needs --out FILE. The same command with the same file goes on where an earlier one stopped.")
    if arguments["stream"]:
        raise click.UsageError("--stream cannot be used with --batch: the results go to a file.")
    if STDIN in arguments["paths"]:
        raise click.UsageError("-f - cannot be used with --batch.")
    from mmos.cli.batch.lines import Defaults
    from mmos.cli.batch.work import Job, run_batch
    from mmos.files import read

    defaults = Defaults(_options(arguments), [read(path) for path in arguments["paths"]], arguments["thread"])
    job = Job(
        arguments["batch"], arguments["out"], defaults, arguments["concurrency"], not arguments["unordered"], arguments["again"],
        arguments["extract"], arguments["progress"],
    )  # fmt: skip
    return run_batch(replace(options, time_scale=arguments["time_scale"], timeout=arguments["timeout"]), job)


def parse_roles(roles: Sequence[str]) -> dict[str, str]:
    """Read the values of `--role`: the model of each role."""
    for assignment in roles:
        if not all(assignment.partition("=")):
            raise click.BadParameter(f"{assignment!r} is not ROLE=MODEL or ROLE=MODEL@HOST", param_hint="--role")
    return dict(assignment.split("=", 1) for assignment in roles)


def _schema(text: str | None) -> Mapping[str, Any] | None:
    """Read the schema from a file, or from the option itself."""
    if text is None:
        return None
    from mmos.calls.shape import read_schema
    from mmos.files import read

    if text.lstrip().startswith("{"):
        return read_schema(text, "--schema")
    return read_schema(read(text).text, text)


@dataclass(frozen=True)
class Task:
    """The task of a run, its files, and its conversation."""

    text: str
    files: Sequence[File] = ()
    thread: str | None = None


async def _run(options: Options, task: Task, run_options: RunOptions, arguments: dict[str, Any]) -> int:
    from mmos.cli.app import app_of

    async with app_of(options) as app:
        show = Show(arguments["stream"], arguments["progress"], arguments["extract"])
        return await run_and_print(options, app, run_options, show, task)


@dataclass(frozen=True)
class Show:
    """What the user wants to see. None: decide by whether there is a terminal."""

    stream: bool | None = None
    progress: bool | None = None
    extract: bool = False
    """Print only the first code block of the answer."""

    def announces(self, options: Options, run_options: RunOptions) -> bool:
        """Whether the lines of a pipeline may stand before the answer on stdout."""
        return not (options.json or self.extract or run_options.schema is not None)

    def display(self, options: Options, *, whole: bool) -> RunDisplay:
        """`whole`: nothing can be printed before the answer is complete."""
        from mmos.cli.progress import Heartbeat, RunDisplay

        stream = not (whole or self.extract) and (sys.stdout.isatty() if self.stream is None else self.stream)
        progress = sys.stderr.isatty() and not options.json if self.progress is None else self.progress
        heartbeat = None if self.progress is False else Heartbeat()
        return RunDisplay(stream and not options.json, progress, patterns=self.progress is not False, heartbeat=heartbeat)


async def run_and_print(
    options: Options, app: App, run_options: RunOptions, show: Show, task: Task | str, *, as_it_was: bool | None = None
) -> int:
    """Start a run, or resume the run with this id. Show its progress and print its result, also when it is interrupted."""
    from mmos.app.lifecycle import Watch
    from mmos.cli.questions import Asker

    at_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    display = show.display(options, whole=run_options.schema is not None)
    watch = Watch(on_hint=display.on_hint, answerer=Asker(display) if at_terminal and not options.json else None)
    if app.rehearsed:
        display.note("[rehearsal: scripted models answer; no model is asked]")
    if isinstance(task, str):
        stream = app.stream_resumed(task, options=run_options, watch=watch, as_it_was=as_it_was)
    else:
        stream = app.stream(task.text, thread=task.thread, files=task.files, options=run_options, watch=watch)
    pipeline = PipelineLines.of(app.config, partial(display.announce, on_stdout=show.announces(options, run_options)))

    def hear(event: Event) -> None:
        pipeline.on_event(event)
        display.on_event(event)

    with redirect_stdout(sys.stderr):  # tools may print: that must not mix with the answer on stdout
        async with display.alive():
            answer = await stream.to_end(hear)
    return _print(options, display, answer, extract=show.extract)


def _print(options: Options, display: RunDisplay, answer: Answer, *, extract: bool) -> int:
    next_step = _next_step(options, answer.reason) if answer.reason else ""
    code = first_block(answer.text or "") if extract else None
    if options.json:
        document = answer.document() | ({"extracted": code} if extract else {})
        if document["reason"]:
            document["reason"]["next"] = next_step
        print_json(document)
        return answer.exit_code
    if answer.text and "schema" in answer.view.options and answer.status != "answered":
        click.echo(harmless(answer.text), err=True)  # stdout holds only JSON that fits the schema
    elif answer.text:
        display.finish(answer.text if code is None else code)
        if extract and code is None:
            click.echo("mmos: the answer has no code block, so all of it is printed.", err=True)
    if answer.view.passages.found:
        tell_sources(answer)
    for warning in answer.view.warnings:
        click.echo(f"mmos: warning: {at_home(options, warning)}", err=True)
    if answer.reason is not None:
        click.echo(f"mmos: {answer.status}: {answer.reason.message}{_further(options, answer)}", err=True)
        if next_step:
            click.echo(f"      {next_step}", err=True)
    if answer.status == "waiting":
        click.echo(answer.run)
    return answer.exit_code


def tell_sources(answer: Answer) -> None:
    """Say on stderr which sources the answer cites."""
    from mmos.cli.sources import cited

    if told := cited(answer.view):
        click.echo(f"mmos: sources: {told}", err=True)


def _further(options: Options, answer: Answer) -> str:
    """Say how many more questions a waiting run has."""
    more = len(answer.view.open_questions) - 1 if answer.status == "waiting" else 0
    return f" ({counted(more, 'more question')}: {at_home(options, 'mmos runs list --waiting')})" if more > 0 else ""


def _next_step(options: Options, reason: Reason) -> str:
    """Propose the next step. Without a configuration and without an Ollama, also propose the embedded model."""
    from mmos.cli.app import has_no_file

    proposed = at_home(options, reason.next)
    if reason.code == "host_unreachable" and has_no_file(options):
        proposed += " Or add --embedded: MMOS then runs a small model itself."
    return proposed


def at_home(options: Options, next_step: str) -> str:
    """Add the options of this command to a proposed command, so that it finds the same state folder and configuration.

    The command is the whole text, or it is in backticks.
    """
    fleets = [(f"--{name}", "") for name in ("rehearse", "embedded") if getattr(options, name) and not options.state]
    places = (("--state", options.state), ("-c", options.config), *fleets)
    more = "".join(f" {shlex.join(filter(None, place))}" for place in places if place[1] is not None)
    if next_step.startswith("mmos "):
        return next_step + more
    return _COMMAND.sub(lambda found: f"`{found[1]}{more}`", next_step)

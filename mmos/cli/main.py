"""Defines the `mmos` command: imports each subcommand only when it is used, and turns errors into exit codes."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

import click

from mmos.cli.guard import guarded
from mmos.cli.styles import colourless, style
from mmos.errors import HostError, MmosError, StateError, UserError
from mmos.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: dict[str, tuple[str, str]] = {
    "chat": ("mmos.cli.chat.main", "Talk with the arbiter."),
    "run": ("mmos.cli.run", "Run one task and print the answer."),
    "diagnose": ("mmos.cli.diagnose.main", "Explain why a command, a log or a run failed."),
    "modify": ("mmos.cli.modify.command", "Rewrite files, and show what changes."),
    "commit": ("mmos.cli.commit", "Write the message of a commit for what is staged."),
    "check": ("mmos.cli.check", "Run a build or a test, and let several models explain what failed."),
    "runs": ("mmos.cli.runs", "List, show, resume, fork, export and delete runs, and answer their questions."),
    "threads": ("mmos.cli.threads", "List, show, rename, fork, export and delete conversations."),
    "calls": ("mmos.cli.calls", "Show which tool calls MMOS reads in a text."),
    "classify": ("mmos.cli.classify", "Say what kind of task a text is, and which rule it meets."),
    "quality": ("mmos.cli.quality", "Check an answer without asking a model."),
    "rehearse": ("mmos.cli.rehearse", "Run rehearsal hosts as real HTTP servers."),
    "simulate": ("mmos.cli.simulate", "Replay a workload on simulated fleets, to see which machines you need."),
    "hosts": ("mmos.cli.hosts", "Show the hosts and which models each has in memory, or run hosts on this machine."),
    "gpu": ("mmos.cli.gpu", "Show the GPUs of this machine and of the hosts, and who holds them."),
    "models": ("mmos.cli.models", "List, show, test, pull, warm and unload models."),
    "patterns": ("mmos.cli.patterns", "List and show patterns, in which several models work on one task."),
    "pipeline": ("mmos.cli.pipeline", "List pipelines, show what answers, and set who answers by default."),
    "rag": ("mmos.cli.rag", "Keep your documents, and find passages in them."),
    "cache": ("mmos.cli.cache", "Show and clear the kept answers of models."),
    "prompts": ("mmos.cli.prompts", "Show the texts that models read, and what you changed."),
    "config": ("mmos.cli.config", "Write, check, show and describe the configuration."),
    "doctor": ("mmos.cli.doctor", "Find problems, and say how to fix them."),
    "help": ("mmos.cli.help", "Explain a concept or a command."),
}

COMPLETION = "_MMOS_COMPLETE"
"""The shell sets this environment variable when it asks for completions."""


class LazyGroup(click.Group):
    """Lists commands from a table, and imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        if COMPLETION in os.environ:
            from mmos.cli.completion.values import attach

            return attach(command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS and not ctx.resilient_parsing:
            from mmos.cli.hints import no_command

            raise no_command(ctx, "", args, list(COMMANDS))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete from the table, without importing every command for its help."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _completion(ctx: click.Context, option: click.Parameter, shell: str | None) -> None:
    if shell is None or ctx.resilient_parsing:
        return
    from mmos.cli.completion.scripts import install, script, select_shell

    shell = select_shell(shell, os.environ)
    if option.name == "show_completion":
        click.echo(script(shell, ctx.command), nl=False)
    else:
        click.echo("\n".join(install(shell, ctx.command, os.environ)))
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mmos", message="%(prog)s %(version)s")
@click.option("--install-completion", is_flag=False, flag_value="auto", is_eager=True, expose_value=False, callback=_completion, metavar="[SHELL]", help="Install completion for bash, zsh or fish. Default: the shell that you call it from.")  # fmt: skip
@click.option("--show-completion", is_flag=False, flag_value="auto", is_eager=True, expose_value=False, callback=_completion, metavar="[SHELL]", help="Print the completion script instead of installing it.")  # fmt: skip
def mmos() -> None:
    """A fleet of Ollama hosts that works as one mind.

    A fast arbiter model answers you with the help of specialist models, each on the host that serves it best.

    \b
    mmos run --rehearse "Why does my build fail?"    try it, with scripted models
    mmos config init                                 write orchestration.yaml for your own hosts
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line. Errors of users, models and hosts never show a stack trace."""
    arguments = sys.argv[1:] if args is None else args
    if arguments in (["--version"], ["-V"]):  # answered before anything else is read
        click.echo(f"mmos {__version__}")
        return
    _set_up_streams()
    if COMPLETION in os.environ:
        sys.exit(_complete(os.environ[COMPLETION]))
    signal.signal(signal.SIGTERM, _interrupt)
    finished = False
    try:
        code = _run(arguments)
        finished = True
    finally:
        if not finished and _wants_json(arguments):  # a bug keeps its stack trace, but --json still gets a document
            _print_failure("internal", "An internal error in MMOS ended the command.")
    sys.exit(code)


def _complete(instruction: str) -> int:
    """Print completions for the shell. Pressing Tab must not print errors."""
    from mmos.cli.completion.scripts import answer

    sys.stderr = _nowhere("w")
    try:
        return answer(mmos, instruction)
    except (click.ClickException, MmosError, OSError):
        return 1


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001  # the shape of a signal handler
    raise KeyboardInterrupt


def _set_up_streams() -> None:
    """Replace missing streams, since a service may start MMOS without them, and characters that the terminal cannot write. Guard both outputs."""
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.stdout, sys.stderr = guarded(sys.stdout), guarded(sys.stderr)


def _nowhere(mode: Literal["r", "w"]) -> TextIO:
    return Path(os.devnull).open(mode)


def _run(args: list[str]) -> int:
    try:
        code = mmos.main(args=args, prog_name="mmos", standalone_mode=False, color=False if colourless() else None)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _refuse(args, "usage", error.format_message(), _usage_hint(error), 2)
    except BrokenPipeError:
        _close_stdout()
        return 0
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _refuse(args, "cancelled", "Interrupted.", "", 130)
    except MmosError as error:
        return _refuse(args, error.code, error.message, error.next_step, exit_code(error))
    except OSError as error:
        _close_stdout()
        return _refuse(args, "usage", f"{error.filename or 'The output'}: {(error.strerror or str(error)).lower()}.", "", 1)
    return code if isinstance(code, int) else 0


def exit_code(error: MmosError) -> int:
    if isinstance(error, HostError):
        return 4
    return 2 if isinstance(error, UserError) and not isinstance(error, StateError) else 1


def _wants_json(args: list[str]) -> bool:
    """Whether a document is wanted. What follows `--` is not for MMOS."""
    return "--json" in (args[: args.index("--")] if "--" in args else args)


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"Try '{context.command_path} --help'." if context is not None else ""


def _refuse(args: list[str], code: str, message: str, next_step: str, status: int) -> int:
    if _wants_json(args):
        _print_failure(code, message, next_step)
    text = "\n".join(part for part in (message, next_step) if part)
    click.echo(style("mmos: ", "error") + text, err=True)
    return status


def _print_failure(code: str, message: str, next_step: str = "") -> None:
    from mmos.cli.output import print_json
    from mmos.views.document import failure

    print_json(failure(code, message, next_step))


def _close_stdout() -> None:
    """Redirect stdout to /dev/null: its reader has gone, and Python would fail when it flushes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

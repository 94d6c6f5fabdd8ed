"""`mmos modify`: what the command line may say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mmos.cli.options import AnyPath, Options, Seconds, run_to_end, shared_options, time_scale

INSTRUCTION = "The instruction is missing. Write what is to change: mmos modify 'add comments' --file src/main.cpp"


@click.command()
@click.argument("words", nargs=-1, metavar="INSTRUCTION [FILE…]")
@click.option(
    "-f", "--file", "paths", multiple=True, type=AnyPath(), metavar="FILE", help="A file to rewrite. Repeatable; more files may follow it."
)
@click.option("--agentic", is_flag=True, help="Let a model find the files of the working tree that must change.")
@click.option(
    "--pipeline",
    "pipelines",
    multiple=True,
    metavar="P",
    help="The pattern that rewrites. Repeatable: each goes on from the result of the one before. Default: defaults.pattern of the "
    "configuration, or the arbiter's model alone.",
)
@click.option("--model", default="", metavar="M[@HOST]", help="Let this model rewrite alone.")
@click.option(
    "--strategy", default="", metavar="S", help="Who rewrites: single, intelligent, the name of a pattern, or a form of patterns."
)
@click.option("--ensemble", is_flag=True, help="Let the members of the pipeline rewrite at once, and make one file of their answers.")
@click.option("--parallel", is_flag=True, help="Let the members of the pipeline work at once, each on its own part.")
@click.option("--max-steps", type=click.IntRange(min=1), metavar="N", help="Stop the pipeline after so many steps.")
@click.option(
    "--quality-threshold",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Refuse a rewrite that the checks give a lower score, from 0 to 1.",
)
@click.option(
    "--validate",
    is_flag=True,
    help="Check each step. Refuse a rewrite with a new error. With what is written, run quality.command, and put the files back if it fails.",
)
@click.option("--compare", is_flag=True, help="Show the result of each pipeline and of each member beside the others.")
@click.option("--apply", is_flag=True, help="Write all files without asking, or none of them.")
@click.option("--undo", is_flag=True, help="Put back what the last rewrite of this working tree has changed.")
@click.option("--timeout", type=Seconds(), metavar="S", help="The longest time for one file, like 90 or 5m.")
@time_scale
@shared_options
def modify(options: Options, /, words: Sequence[str], **arguments: Any) -> int:
    """Rewrite files as INSTRUCTION says, and show what changes.

    Nothing is written until you take it: at a terminal MMOS asks for each change, and with --apply it writes all. The encoding, the line
    ends and the mode of a file stay. An answer that is not the file is never written. --undo puts the last rewrite back.

    \b
    mmos modify "add comments" --file src/main.cpp
    mmos modify "use pathlib" --file src/*.py --pipeline refine-pro --apply
    mmos modify "rename Cart to Basket" --agentic --validate --apply
    mmos modify --undo

    Exit codes: 0 rewritten, or nothing to change; 1 a file was refused; 2 wrong usage; 4 no host can serve; 130 interrupted.
    """
    from mmos.cli.modify.undoing import undo

    if arguments["undo"]:
        if words or arguments["paths"] or arguments["apply"]:
            raise click.UsageError("--undo goes alone: it puts back what was written last.")
        return undo(options)
    instruction, files = _sorted_out(words)
    paths = [*arguments["paths"], *files]
    if not paths and not arguments["agentic"]:
        raise click.UsageError("Which file? Name it with --file FILE, or let a model find the files: --agentic")
    if paths and arguments["agentic"]:
        raise click.UsageError("--file and --agentic cannot be used together: with --agentic a model names the files.")
    from mmos.cli.modify.work import Job, Work

    names = ("apply", "compare", "validate", "quality_threshold", "timeout", "agentic")
    ways = {name: arguments[name] for name in ("pipelines", "model", "strategy", "ensemble", "parallel", "max_steps")}
    job = Job(instruction, tuple(paths), ways, **{name: arguments[name] for name in names}, time_scale=arguments["time_scale"])
    work = Work(options, job)
    run_to_end(work.ask)
    return work.finish()


def _sorted_out(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The instruction, and the files that a shell has made of a pattern such as `src/*.py`: they follow the first one."""
    if not words or not any(word.strip() for word in words):
        raise click.UsageError(INSTRUCTION)
    if len(words) > 1 and Path(words[0]).exists() and not Path(words[-1]).exists():
        return words[-1], words[:-1]
    if len(words) > 1 and Path(words[0]).exists():
        raise click.UsageError(INSTRUCTION)
    return words[0], words[1:]

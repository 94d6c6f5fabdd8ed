"""`mmos models compare`: what the command line may say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mmos.cli.options import AnyPath, Options, shared_options, time_scale
from mmos.cli.rag_options import rag_sides, sides_with_library
from mmos.errors import UsageError

HINT = 'Pipe them in, or name a file: --cases cases.jsonl, one on each line, such as {"task": "What is 6 times 7?", "expect": 42}'


@click.command(short_help="Say which of several models or roles is better on your cases.")
@click.argument("sides", nargs=-1, metavar="SIDE SIDE…")
@click.option("--cases", type=AnyPath(), metavar="FILE", help='The cases: JSON lines {"task": …, "expect": …}. `-` is stdin.')
@click.option(
    "--scored",
    type=AnyPath(),
    metavar="FILE",
    help='Compare scores that you have: JSON lines {"id": …, "side": …, "score": …}. No model is asked. `-` is stdin.',
)
@click.option(
    "--samples", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N", help="Answers of each side to each case."
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Answers that are made at once. Default: as many as the hosts serve at once.",
)
@click.option(
    "--judge",
    default="",
    metavar="ROLE|MODEL|auto",
    help="Compares the answers to cases without `expect`: role:NAME, a model, or auto for one that is no side.",
)
@click.option(
    "--within",
    type=click.FloatRange(0, 100, max_open=True),
    default=3.0,
    show_default=True,
    metavar="POINTS",
    help="A side that is less than this worse counts as equally good.",
)
@rag_sides
@click.option("--seed", type=click.IntRange(0, 2**31), metavar="N", help="Of the models, and of the chance in the figures.")
@click.option(
    "--out", type=AnyPath(), metavar="FILE", help="Keep every answer with its score here. The same command goes on where it stopped."
)
@click.option("--again", is_flag=True, help="With --out: ask again where there was no answer.")
@click.option("--show-differences", is_flag=True, help="List all cases on which two sides differ, and what was wrong.")
@click.option("--progress/--no-progress", default=None, help="Show on stderr how far it is. Default: yes.")
@time_scale
@shared_options
def compare(options: Options, sides: tuple[str, ...], **arguments: Any) -> int:
    """Let several sides answer the same cases, and say which is better, how sure that is, and what each costs.

    A SIDE is a model (MODEL or MODEL@HOST), role:NAME for one role alone, or arbiter for the whole of MMOS as it is configured.
    strategy:single and strategy:intelligent are the whole of MMOS with another strategy. SIDE+rag:COLLECTION reads your documents.

    \b
    mmos models compare qwen2.5:14b llama3.2:3b --cases cases.jsonl
    mmos models compare arbiter role:coding --cases cases.jsonl --out answers.jsonl
    mmos models compare qwen2.5:14b --rag-collection notes --cases cases.jsonl
    mmos models compare --scored scores.jsonl

    Exit codes: 0 compared, 1 nothing could be compared, 2 wrong usage or a bad line, 4 no host can serve, 130 interrupted.
    """
    for name in ("out", "judge", "again", "cases"):
        if arguments["scored"] is not None and arguments[name]:
            raise click.UsageError(f"--{name} and --scored cannot be used together: with --scored no model is asked.")
    if arguments["scored"] is not None:
        return _scored(options, sides, arguments)
    if arguments["cases"] is None:
        raise click.UsageError("--cases FILE is missing. It has the tasks, and what is expected of an answer.")
    sides = sides_with_library(sides, rag=arguments["rag"], collection=arguments["rag_collection"])
    if len(sides) < 2:
        raise click.UsageError("Name at least two sides: models, role:NAME, or arbiter.")
    if arguments["again"] and arguments["out"] is None:
        raise click.UsageError("--again goes with --out only.")
    from mmos.cli.compare.work import Job, run_comparison
    from mmos.comparing.cases import cases_of

    cases = cases_of(lines_in(arguments["cases"]), arguments["cases"])
    job = Job(sides, cases, **{name: arguments[name] for name in ("samples", "concurrency", "judge", "seed", "out", "again", "progress")})
    job = replace(job, within=arguments["within"] / 100, show_differences=arguments["show_differences"])
    return run_comparison(replace(options, time_scale=arguments["time_scale"]), job)


def _scored(options: Options, sides: Sequence[str], arguments: dict[str, Any]) -> int:
    """Compare scores that somebody has: of other tools, or an earlier file of results."""
    from mmos.cli.compare.show import show
    from mmos.comparing.comparison import compare as compared
    from mmos.comparing.scores import names_in, scores_of

    name = arguments["scored"]
    scores = scores_of(lines_in(name), name)
    named = names_in(scores)
    absent = [side for side in sides if side not in named]
    if absent:
        raise UsageError(f"{name} has no score of {absent[0]!r:.60}.", next_step=f"It has: {', '.join(named) or 'none'}.")
    sides = list(dict.fromkeys(sides)) or named
    if len(sides) < 2:
        raise UsageError(f"{name} has {'scores of one side only' if sides else 'no scores'}.", next_step="A comparison needs two sides.")
    comparison = compared(scores, sides=sides, within=arguments["within"] / 100, seed=arguments["seed"] or 0)
    show(options, comparison, show_differences=arguments["show_differences"])
    return 0 if comparison.pairs else 1


def lines_in(name: str) -> list[bytes]:
    from mmos.cli.lines import lines_of

    path = None if name == "-" else Path(name)
    if path is not None and not path.is_file():
        raise UsageError(f"{name} is not a file.", next_step=HINT)
    with lines_of(path, HINT) as lines:
        return list(lines)

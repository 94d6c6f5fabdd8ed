"""`mmos patterns evaluate`: says whether a pattern is better than its best member."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from mmos.cli.options import AnyPath, Options, shared_options, time_scale
from mmos.cli.rag_options import rag_sides, sides_with_library


@click.command(short_help="Say whether a pattern is better than its best member on your cases.")
@click.argument("pattern")
@click.option(
    "--cases", type=AnyPath(), required=True, metavar="FILE", help='The cases: JSON lines {"task": …, "expect": …}. `-` is stdin.'
)
@click.option(
    "--samples", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N", help="Answers of each side to each case."
)
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), metavar="N", help="Answers that are made at once. Default: as the hosts serve."
)
@click.option("--judge", default="", metavar="ROLE|MODEL|auto", help="Compares the answers to cases without `expect`.")
@click.option(
    "--within",
    type=click.FloatRange(0, 100, max_open=True),
    default=3.0,
    show_default=True,
    metavar="POINTS",
    help="What counts as equally good.",
)
@rag_sides
@click.option("--seed", type=click.IntRange(0, 2**31), metavar="N", help="Of the models, and of the chance in the figures.")
@click.option("--out", type=AnyPath(), metavar="FILE", help="Keep every answer here. The same command goes on where it stopped.")
@click.option("--again", is_flag=True, help="With --out: ask again where there was no answer.")
@click.option("--show-differences", is_flag=True, help="List all cases on which the two differ, and what was wrong.")
@click.option("--progress/--no-progress", default=None, help="Show on stderr how far it is. Default: yes.")
@time_scale
@shared_options
def evaluate(options: Options, pattern: str, **arguments: Any) -> int:
    """Let a pattern and each of its members alone answer the same cases, and say whether the pattern is better than the best of them.

    What came of it is kept: `mmos doctor` warns of a pattern that does not win. With --rag, the pattern is compared with itself instead:
    without and with passages of your documents.

    \b
    mmos patterns evaluate second_opinion --cases cases.jsonl
    mmos patterns evaluate second_opinion --cases cases.jsonl --out answers.jsonl

    Exit codes: 0 compared, 1 nothing could be compared, 2 wrong usage or a bad line, 4 no host can serve, 130 interrupted.
    """
    if arguments["again"] and arguments["out"] is None:
        raise click.UsageError("--again goes with --out only.")
    from mmos.cli.compare.command import lines_in
    from mmos.cli.compare.work import Job, run_comparison
    from mmos.comparing.cases import cases_of

    cases = cases_of(lines_in(arguments["cases"]), arguments["cases"])
    given = {key: arguments[key] for key in ("samples", "concurrency", "judge", "seed", "out", "again", "progress", "show_differences")}
    sides = sides_with_library([f"pattern:{pattern}"], rag=arguments["rag"], collection=arguments["rag_collection"])
    with_without = len(sides) > 1
    job = Job(sides if with_without else (), cases, **given, within=arguments["within"] / 100, pattern="" if with_without else pattern)
    return run_comparison(replace(options, time_scale=arguments["time_scale"]), job)

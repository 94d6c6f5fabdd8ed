"""`mmos patterns`: lists and shows the patterns, in which several models work on one task."""

from __future__ import annotations

import click

from mmos.cli.hints import HintingGroup
from mmos.cli.patterns.evaluate import evaluate
from mmos.cli.patterns.list import list_patterns
from mmos.cli.patterns.show import show
from mmos.cli.patterns.tally import tally


@click.group(cls=HintingGroup)
def patterns() -> None:
    """List the patterns, show how one goes and what it costs, and find out whether it helps.

    \b
    mmos patterns list
    mmos patterns show code_review
    mmos patterns tally answers.jsonl
    mmos patterns evaluate code_review --cases cases.jsonl
    """


patterns.add_command(evaluate)
patterns.add_command(list_patterns)
patterns.add_command(show)
patterns.add_command(tally)

"""`mmos pipeline`: lists pipelines, says what answers, and sets who answers by default."""

from __future__ import annotations

import click

from mmos.cli.hints import HintingGroup
from mmos.cli.pipeline.list import list_pipelines
from mmos.cli.pipeline.status import status
from mmos.cli.pipeline.strategy import set_strategy


@click.group(cls=HintingGroup)
def pipeline() -> None:
    """List pipelines and their backends, and set who answers by default. A pipeline is a sequential pattern.

    \b
    mmos pipeline list
    mmos pipeline status
    mmos pipeline set-strategy refine-pro
    """


pipeline.add_command(list_pipelines)
pipeline.add_command(status)
pipeline.add_command(set_strategy)

"""What the options of `mmos run` about patterns mean together, and which of them contradict each other."""

from __future__ import annotations

import shlex
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mmos.cli.options import validation
from mmos.cli.pattern_options import AGGREGATES, SHAPES, VOTINGS, pattern_of, pattern_options, strategy_of
from mmos.config import patterns_schema


def read(line: str) -> Any:
    """What a command line asks for: the pattern and the strategy."""
    got: list[Any] = []

    @click.command()
    @click.option("--model", default="")
    @click.option("--role-only", default="")
    @pattern_options
    @validation
    def command(**arguments: Any) -> None:
        got.extend((pattern_of(arguments), strategy_of(arguments)))

    result = CliRunner().invoke(command, shlex.split(line))
    if result.exit_code == 2:
        raise click.UsageError(result.stderr)
    assert result.exception is None, result.exception
    return got[0] if got[1] is None else tuple(got)


def test_the_words_are_those_of_the_configuration() -> None:
    assert (SHAPES, AGGREGATES, VOTINGS) == (patterns_schema.SHAPES, patterns_schema.AGGREGATES, patterns_schema.VOTINGS)


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("", None),
        ("--strategy single", (None, "single")),
        ("--multi-model code_review", "code_review"),
        ("--strategy code_review", "code_review"),
        ("--pattern code_review", "code_review"),
        ("--model pattern:code_review", "code_review"),
        ("--multi-model code_review --model pattern:code_review", "code_review"),
        ("--multi-model code_review --max-steps 2", {"name": "code_review", "max_steps": 2}),
        ("--ensemble", {"pattern": "ensemble"}),
        ("--parallel", {"pattern": "parallel"}),
        ("--strategy sequential", {"pattern": "sequential"}),
        ("--pattern ensemble --ensemble --strategy ensemble", {"pattern": "ensemble"}),
        ("--pattern mine:Debate --models a", {"pattern": "mine:Debate", "models": ["a"]}),
        ("--pattern ensemble --models a --models b@gpu1", {"pattern": "ensemble", "models": ["a", {"model": "b", "server": "gpu1"}]}),
        ("--pattern sequential --models a,b", {"pattern": "sequential", "models": ["a", "b"]}),
        ("--ensemble --models a --models pattern:x", {"pattern": "ensemble", "models": ["a", "pattern:x"]}),
        ("--models a --models b --aggregate best", {"pattern": "ensemble", "aggregate": "best", "models": ["a", "b"]}),
        ("--models a --models b --voting ranked", {"pattern": "voting", "voting": "ranked", "models": ["a", "b"]}),
        ("--ensemble --voting majority", {"pattern": "ensemble", "voting": "majority", "aggregate": "vote"}),
        ("--pattern sequential --validate", {"pattern": "sequential", "validate": True}),
        ("--pattern sequential --quality-threshold 0.9", {"pattern": "sequential", "validate": True, "quality_threshold": 0.9}),
        ("--pattern sequential --no-validate --max-steps 1", {"pattern": "sequential", "max_steps": 1}),
        ("--ensemble --validate", {"pattern": "ensemble"}),
    ],
)
def test_what_a_command_line_asks_for(line: str, pattern: Any) -> None:
    assert read(line) == pattern


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--ensemble --parallel", "--ensemble and --parallel cannot be used together"),
        ("--multi-model a --pattern voting", "each names a pattern. Give one of them."),
        ("--ensemble --model a", "For members of the pattern, write --models a."),
        ("--ensemble --role-only coding", "--role-only"),
        ("--ensemble --strategy single", "--strategy single"),
        ("--multi-model a --models b", "has its own models"),
        ("--pattern ensembl --models b", "Did you mean --pattern ensemble?"),
        ("--models a", "add --pattern ensemble"),
        ("--aggregate vote", "add --pattern ensemble"),
        ("--voting ranked", "add --pattern voting"),
        ("--max-steps 3", "add --pattern sequential"),
        ("--parallel --aggregate vote", "--aggregate means nothing for the form parallel. It goes with ensemble."),
        ("--ensemble --max-steps 2", "goes with sequential"),
        ("--pattern sequential --voting auto", "voting and ensemble"),
        ("--ensemble --aggregate best --voting ranked", "Leave one of them out"),
        ("--ensemble --models a,", "empty name"),
        ("--ensemble --models @gpu1", "is not MODEL or MODEL@HOST"),
        ("--ensemble --aggregate voted", "voted"),
        ("--max-steps 0 --pattern sequential", "0"),
    ],
)
def test_contradictions_are_errors_that_say_what_to_type(line: str, said: str) -> None:
    with pytest.raises(click.UsageError) as error:
        read(line)
    assert said in " ".join(error.value.message.replace("│", " ").split())

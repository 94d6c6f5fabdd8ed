"""Defines the options of `mmos run` that let several models work in a pattern, and reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import ANSWERING, options_of
from mmos.names import pattern_named

if TYPE_CHECKING:
    from mmos.config.routing_schema import Answering

SHAPES = ("sequential", "ensemble", "voting", "parallel", "specialized")
"""The values of `pattern` in the configuration. Its modules take too long to import for the help."""
AGGREGATES = ("synthesize", "vote", "best", "weighted", "best_of_n", "consensus")
VOTINGS = ("auto", "majority", "weighted", "ranked")
pattern_options = options_of(
    click.option("--multi-model", default="", metavar="NAME", help="Let a pattern of the configuration answer. `mmos patterns list` names them."),
    click.option(
        "--pattern", "shape", default="", metavar="FORM",
        help="Let several models work on the task: sequential (each goes on from the one before), ensemble (all answer, and the answers become "
        "one), voting, parallel (each has its own part), or specialized (the one that fits).",
    ),
    click.option("--models", multiple=True, metavar="M[@HOST]", help="A member of the pattern. Repeatable. Default: the models of the roles."),
    click.option("--ensemble", is_flag=True, help="The same as --pattern ensemble."),
    click.option("--parallel", is_flag=True, help="The same as --pattern parallel."),
    click.option("--aggregate", type=click.Choice(AGGREGATES), help="How the answers of an ensemble become one. Default: synthesize."),
    click.option("--voting", type=click.Choice(VOTINGS), help="How votes are counted. Default: auto."),
    click.option("--max-steps", type=click.IntRange(min=1), metavar="N", help="Limit the steps of a sequence."),
    click.option(
        "--strategy", metavar="S",
        help="Who answers: single (the arbiter's model alone, or --model), intelligent (whoever fits the task), or a pattern: its name or its "
        "form. Default: the arbiter, who consults others as it likes, or defaults.strategy of the configuration.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What the options say of a pattern."""

    option: str
    """The option that names it, for messages."""
    value: str
    """The name of a pattern of the configuration, or a form."""

    @property
    def is_form(self) -> bool:
        return self.value in SHAPES or ":" in self.value


def strategy_of(arguments: Mapping[str, Any]) -> Answering | None:
    """The strategy, if it names no pattern."""
    return next((word for word in ANSWERING if word == arguments["strategy"]), None)


def pattern_of(arguments: Mapping[str, Any]) -> str | dict[str, Any] | None:
    """The pattern that the options ask for: the name of one, or its keys as in the configuration. None: none."""
    asked = _asked(arguments)
    if asked is None:
        return None
    _check_others(asked, arguments)
    keys = _keys(asked, arguments)
    if asked.is_form:
        return {"pattern": asked.value, **keys}
    return {"name": asked.value, **keys} if keys else asked.value


def _asked(arguments: Mapping[str, Any]) -> Asked | None:
    """The one pattern that the options name. Several names of the same one are no contradiction."""
    strategy = arguments["strategy"] or ""
    named = [
        Asked("--multi-model", arguments["multi_model"]),
        Asked("--pattern", arguments["shape"]),
        Asked("--ensemble", "ensemble" if arguments["ensemble"] else ""),
        Asked("--parallel", "parallel" if arguments["parallel"] else ""),
        Asked("--strategy", "" if strategy in ANSWERING else strategy),
        Asked("--model", pattern_named(arguments["model"])),
    ]
    found = [one for one in named if one.value]
    if not found:
        return _implied(arguments)
    for other in found[1:]:
        if other.value != found[0].value:
            raise click.UsageError(f"{found[0].option} and {other.option} cannot be used together: each names a pattern. Give one of them.")
    return found[0]


def _implied(arguments: Mapping[str, Any]) -> Asked | None:
    """The form that other options mean. They are wrong where they mean none."""
    if arguments["models"] and arguments["aggregate"]:
        return Asked("--aggregate", "ensemble")
    if arguments["models"] and arguments["voting"]:
        return Asked("--voting", "voting")
    for name, forms in (
        ("models", "ensemble, or another form"),
        ("aggregate", "ensemble"),
        ("voting", "voting"),
        ("max_steps", "sequential"),
    ):
        if arguments[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with a pattern only: add --pattern {forms}, or --multi-model NAME.")
    return None


def _check_others(asked: Asked, arguments: Mapping[str, Any]) -> None:
    """Raise for options that say something else about who answers."""
    if arguments["role_only"]:
        raise click.UsageError(f"{asked.option} and --role-only cannot be used together: each says who answers. Give one of them.")
    if arguments["model"] and not pattern_named(arguments["model"]):
        raise click.UsageError(
            f"{asked.option} and --model cannot be used together. For members of the pattern, write --models {arguments['model']}."
        )
    if strategy := strategy_of(arguments):
        raise click.UsageError(
            f"{asked.option} and --strategy {strategy} cannot be used together: each says who answers. Give one of them."
        )
    if arguments["models"] and not asked.is_form:
        from mmos.config.wording import nearest

        if form := nearest(asked.value, SHAPES):
            raise click.UsageError(f"{asked.value} is no form of patterns. Did you mean {asked.option} {form}?")
        raise click.UsageError(
            f"The pattern {asked.value} has its own models, so --models cannot be used with it. For other models, write "
            f"--pattern {'|'.join(SHAPES)} in its place."
        )


_HOLDS = {"aggregate": ("ensemble",), "voting": ("voting", "ensemble"), "max_steps": ("sequential",)}
"""The forms for which an option means something."""


def _keys(asked: Asked, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the pattern that the options set."""
    for name, forms in _HOLDS.items():
        if arguments[name] and asked.value in SHAPES and asked.value not in forms:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} means nothing for the form {asked.value}. It goes with {' and '.join(forms)}.")
    keys = {name: arguments[name] for name in ("aggregate", "voting", "max_steps") if arguments[name]}
    if "voting" in keys and asked.value == "ensemble":
        keys.setdefault("aggregate", "vote")
        if keys["aggregate"] != "vote":
            raise click.UsageError(f"--voting counts votes, and --aggregate {keys['aggregate']} counts none. Leave one of them out.")
    if models := members(arguments["models"]):
        keys["models"] = models
    if (
        asked.value == "sequential"
        and arguments["validate"] is not False
        and (arguments["validate"] or arguments["quality_threshold"] is not None)
    ):
        keys["validate"] = True
        keys |= {} if arguments["quality_threshold"] is None else {"quality_threshold": arguments["quality_threshold"]}
    return keys


def members(written: Sequence[str]) -> list[str | dict[str, Any]]:
    """The members: each `MODEL` or `MODEL@HOST`, several also with commas between them."""
    names = [name.strip() for each in written for name in each.split(",")]
    if not all(names):
        raise click.BadParameter(f"{', '.join(written)!r} has an empty name. Write MODEL or MODEL@HOST.", param_hint="--models")
    return [_member(name) for name in names]


def _member(name: str) -> str | dict[str, Any]:
    model, at, host = name.partition("@")
    if at and not (model and host):
        raise click.BadParameter(f"{name!r} is not MODEL or MODEL@HOST.", param_hint="--models")
    return {"model": model, "server": host} if at else name

"""`mmos patterns show`: draws how a pattern goes, and says what it will cost on the fleet."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json, whole_seconds
from mmos.cli.styles import style
from mmos.cli.tables import IN_A_PIPE, table, terminal_width
from mmos.cli.text import flat
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.app.flow import Asked, Flow
    from mmos.placement.forecasting import Forecast, Foreseen


@click.command()
@click.argument("pattern")
@click.option("--offline", is_flag=True, help="Ask no host, and leave the cost out.")
@click.option("--tokens", type=click.IntRange(1, 10_000_000), default=1000, show_default=True, metavar="N", help="The length of the task.")
@shared_options
def show(options: Options, pattern: str, offline: bool, tokens: int) -> None:
    """Draw how a pattern goes, and say what it will cost: loads, seconds, and seconds of GPUs. No model is asked.

    The cost is for the hosts as they are now, with the speeds that earlier runs have shown.

    \b
    mmos patterns show code_review
    mmos patterns show code_review --tokens 8000 --json
    mmos patterns show code_review --offline
    """
    run_to_end(lambda: _show(options, pattern, tokens, offline=offline))


async def _show(options: Options, name: str, tokens: int, *, offline: bool) -> None:
    from mmos.app.flow import flows
    from mmos.cli.fleet import fleet_of

    if offline:
        _print(options, _named(flows(options.source()), name), [], tokens)
        return
    _named(flows(options.source()), name)  # before the hosts are asked
    async with fleet_of(options, ask=False, remembers=True) as (config, fleet):
        from mmos.app.flow import ranges

        found = flows(config)
        flow = _named(found, name)
        await fleet.forecasts.look()
        costs = [fleet.forecasts.of(stages) for stages in ranges(flow, found, float(tokens))]
        _print(options, flow, sorted(costs, key=lambda cost: (bool(cost.missing), cost.gpu_seconds)), tokens)


def _named(found: Mapping[str, Flow], name: str) -> Flow:
    from mmos.config.patterns_schema import SHAPES
    from mmos.config.wording import perhaps, shown
    from mmos.errors import NotFound
    from mmos.names import pattern_called

    name = pattern_called(name, found)
    if name in SHAPES and name not in found:
        hint = f"Type `mmos run --pattern {name} TASK`: the models of the roles answer. Patterns are: {', '.join(found)}."
        raise NotFound(f"'{name}' is a form of patterns, not a pattern.", next_step=hint)
    if name not in found:
        known = f"There are: {', '.join(found)}." if found else "The configuration has none."
        raise NotFound(f"No pattern is named '{shown(name)}'{perhaps(name, found) or '.'}", next_step=known)
    return found[name]


def _print(options: Options, flow: Flow, costs: Sequence[Forecast], tokens: int) -> None:
    from mmos.cli.patterns.drawing import drawn

    width = terminal_width() or IN_A_PIPE
    if options.json:
        cost = _document(costs, tokens) if costs else None
        print_json({"version": 1, **flow.document(), "flow": drawn(flow, IN_A_PIPE), "cost": cost})
        return
    marks = [
        flow.shape,
        *([flow.counts and f"voting {flow.counts}"] if flow.counts else []),
        *([] if flow.pattern.enabled else ["not enabled"]),
    ]
    click.echo(f"{style(flat(flow.name), 'bold')} · {' · '.join(marks)}")
    if flow.pattern.description:
        click.echo(flat(flow.pattern.description))
    click.echo()
    for line in drawn(flow, width):
        click.echo(line)
    click.echo()
    table(("MEMBER", "MODEL", "WHERE IT MAY RUN", "TASK"), [(one.name, one.model, _where(one), one.task or "-") for one in flow.members])
    for line in _cost(costs, tokens):
        click.echo(line)
    sys.stdout.flush()


def _where(asked: Asked) -> str:
    return ", ".join(asked.servers) or ("as its members" if asked.pattern else "any host with it")


# ---------------------------------------------------------------- the cost


def _cost(costs: Sequence[Forecast], tokens: int) -> Iterator[str]:
    """What the pattern costs, and where each call would go."""
    if not costs:
        return
    yield ""
    least, most = costs[0], costs[-1]
    figures = _figures(most) if least == most else f"at least {_figures(least)}; at most {_figures(most)}"
    if any(call.host for call in most.calls):
        yield f"cost for a task of {counted(tokens, 'token')}: {figures}"
    if most.guessed:
        yield "  Some of these models have not answered on this fleet yet, so their speeds are guesses."
    for call in dict.fromkeys(most.calls):
        yield f"  {_call(call)}"


def _figures(cost: Forecast) -> str:
    return f"{counted(cost.loads, 'load')}, about {whole_seconds(cost.seconds)}, {cost.gpu_seconds:,.0f} GPU-seconds"


def _call(call: Foreseen) -> str:
    model = flat(call.model.removesuffix(":latest"))
    if not call.host:
        cure = f"`mmos models list` says which hosts answer, `mmos models pull {model}` fetches it."
        return style(f"{model}: no host can serve it now. {cure}", "error")
    leaves = f", and {', '.join(map(flat, call.victims))} must leave" if call.victims else ""
    place = f"loads in about {whole_seconds(call.load_seconds)}{leaves}" if call.loads else "is in memory"
    return f"{model} on {flat(call.host)}: {place}, answers in about {whole_seconds(call.seconds)}"


def _document(costs: Sequence[Forecast], tokens: int) -> dict[str, Any]:
    """The dearest course whole, and the figures of the cheapest."""
    least, most = costs[0], costs[-1]
    calls = [{name: list(value) if isinstance(value, tuple) else value for name, value in asdict(call).items()} for call in most.calls]
    return {
        "tokens": tokens,
        **_numbers(most),
        "missing": most.missing,
        "guessed": most.guessed,
        "calls": calls,
        "at_least": _numbers(least),
    }


def _numbers(cost: Forecast) -> dict[str, float]:
    return {"loads": cost.loads, "seconds": round(cost.seconds, 3), "gpu_seconds": round(cost.gpu_seconds, 3)}

"""`mmos models test`: tests how well a model calls tools on your host, and writes a card that chooses its channel and roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from mmos.cli.cards import forget as forget_cards
from mmos.cli.cards import suits
from mmos.cli.fleet import LARGEST_WINDOW, exit_code, fault, fleet_of, lacks, missing, select_hosts, states_of, window_on
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.steps import clear_step, show_step
from mmos.cli.styles import style
from mmos.cli.tables import columns, terminal_width
from mmos.cli.text import flat, harmless

if TYPE_CHECKING:
    from mmos.config.load import Config
    from mmos.errors import HostError
    from mmos.fitness.card import Card, Marks
    from mmos.fleet.fleet import Fleet
    from mmos.fleet.survey import HostState

CHANNELS: dict[str, tuple[Literal["tools", "schema"], ...]] = {"tools": ("tools",), "schema": ("schema",), "both": ("tools", "schema")}
HEADS = ("CHANNEL", "VALID", "RIGHT TOOL", "RIGHT CALL", "REPAIRED", "LEFT ALONE", "FAILED")
SPARE = ("REPAIRED", "VALID", "FAILED")
CHANNEL_WORDS = {
    "tools": "the host's own tool calls",
    "schema": "schema mode (JSON by grammar)",
    None: "none yet: no test was completed",
}


@click.command()
@click.argument("model", required=False)
@click.option(
    "--host", "hosts", multiple=True, metavar="HOST", help="Test on this host. Repeatable. Default: every host that has the model."
)
@click.option(
    "--channel",
    type=click.Choice(list(CHANNELS)),
    default="both",
    show_default=True,
    help="What to test: the host's tool calls, JSON by grammar, or both.",
)
@click.option(
    "--window",
    type=click.IntRange(512, LARGEST_WINDOW),
    metavar="N",
    help="The window in tokens. Default: the window in the configuration.",
)
@click.option("--probe/--no-probe", default=True, help="Fill the window, to see whether the host really reads all of it. Default: yes.")
@click.option("--forget", is_flag=True, help="Delete the card of MODEL or MODEL@HOST, so that it has no effect any more.")
@click.option("--all", "everything", is_flag=True, help="With --forget: delete all cards.")
@shared_options
def test(options: Options, model: str | None, hosts: tuple[str, ...], forget: bool, everything: bool, **arguments: Any) -> int:
    """Test a model with the built-in cases: are its tool calls valid and right, how fast is it, and how much of a prompt does it read?

    \b
    mmos models test qwen2.5:14b
    mmos models test qwen2.5-coder:32b --host ollama02 --channel tools --json
    mmos models test --forget qwen2.5:14b@ollama01

    MMOS writes the result to a card in the state folder. From then on it offers the model tools on this host in the way that worked best.
    `channel` in a role overrides the card. `mmos config show` shows which cards have an effect. `mmos config init` prefers models with good scores.
    """
    if everything and not forget:
        raise click.UsageError("--all needs --forget. To test a model, name it: mmos models test MODEL")
    if forget and (model is None) != everything:
        raise click.UsageError("Name the model whose card to delete: mmos models test --forget MODEL[@HOST]. For all cards: --forget --all")
    if forget:
        return forget_cards(options, model, hosts)
    if model is None:
        raise click.UsageError("Missing argument 'MODEL'. `mmos models list` shows the models.")
    return run_to_end(lambda: _test(options, model, hosts, arguments))


@dataclass(frozen=True)
class TrialResult:
    """The result of a test on one host."""

    host: str
    card: Card | None = None
    error: HostError | None = None


async def _test(options: Options, model: str, hosts: tuple[str, ...], arguments: Mapping[str, Any]) -> int:
    async with fleet_of(options) as (config, fleet):
        model = config.named(model)
        names = select_hosts(hosts, config.servers())
        states = await states_of(config, fleet, names)
        if not any(state.has(model) for state in states):
            raise missing(model, states)
        concerned = [state for state in states if names or state.has(model) or not state.reachable]
        results = [await _try(options, config, fleet, state, model, arguments) for state in concerned]
    if options.json:
        cards = [one.card.document() for one in results if one.card]
        print_json(
            {"version": 1, "cards": cards, "failed": [{"host": one.host, "error": fault(one.error)} for one in results if one.error]}
        )
    # A host that is down is a failure only if the user named it.
    return exit_code([one.error for one, state in zip(results, concerned, strict=True) if names or state.reachable])


async def _try(options: Options, config: Config, fleet: Fleet, state: HostState, model: str, arguments: Mapping[str, Any]) -> TrialResult:
    """Test on one host, and print the result at once."""
    from mmos.errors import HostError

    try:
        if not state.has(model):
            raise state.error or lacks(state.name, model)
        card = _stored(options, config, await _card(config, fleet, state, model, arguments))
    except HostError as error:
        click.echo(style(f"{state.name}: ", "error") + flat(str(error)), err=True)
        return TrialResult(state.name, error=error)
    if not options.json:
        _show(card)
    return TrialResult(state.name, card)


async def _card(config: Config, fleet: Fleet, state: HostState, model: str, arguments: Mapping[str, Any]) -> Card:
    from mmos.fitness.trial import Trial
    from mmos.prompting.templates import Templates

    click.echo(style(f"{model} on {state.name}: the first answer may have to wait until the model is loaded …", "dim"), err=True)
    window = arguments["window"] or window_on(config, state, model)
    trial = Trial(fleet, model, state.name, window, Templates().text("schema"), tell=show_step)
    try:
        return await trial.run(CHANNELS[arguments["channel"]], probe=arguments["probe"])
    finally:
        clear_step()


def _stored(options: Options, config: Config, card: Card) -> Card:
    """Store the card. A rehearsal stores none: its scores must not count for a real model of that name."""
    from mmos.fitness.shelf import Shelf

    if options.rehearse:
        return card
    shelf = Shelf.of_state(options.state_folder(config.path))
    card = card.beside(shelf.find(card.model, card.host))
    shelf.put(card)
    return card


# ---------------------------------------------------------------- the card


def _show(card: Card) -> None:
    click.echo(style(f"{card.model} on {card.host}", "bold"))
    rows = [_row(name, marks) for name, marks in card.channels.items() if marks.judged]
    width = terminal_width()
    for line in columns(HEADS, rows, width and width - 2, SPARE) if rows else ():
        click.echo(f"  {line}")
    for name, marks in card.channels.items():
        if marks.why:
            click.echo(f"  {name}: {harmless(marks.why)}")
    for label, text in _facts(card):
        click.echo(f"  {label:<9} {text}")


def _row(name: str, marks: Marks) -> Sequence[str]:
    shares = ((marks.valid, marks.cases), (marks.named, marks.cases), (marks.right, marks.cases), (marks.repaired, marks.cases))
    return [name, *(f"{part}/{whole}" for part, whole in shares), f"{marks.left}/{marks.to_leave}", str(marks.failed)]


def _facts(card: Card) -> list[tuple[str, Any]]:
    from mmos.fitness.card import percent

    speed = [f"writes {card.writes:.0f} tokens/s" if card.writes else "", f"reads {card.reads:.0f} tokens/s" if card.reads else ""]
    loaded = "was loaded already" if card.load_seconds is None else f"loads in {card.load_seconds:.1f} s"
    facts = [("speed", ", ".join(filter(None, [*speed, loaded])))]
    if card.window_held is not None:
        cut = "" if card.window_held >= card.window_asked else style("  the host cuts longer prompts", "warning")
        facts.append(("window", f"{card.window_held} of {card.window_asked} tokens{cut}"))
    facts.append(("channel", CHANNEL_WORDS[card.channel]))
    if card.channel:
        facts.append(("score", f"{percent(card.score)} of the cases"))
    return [*facts, ("suits", suits(card))]

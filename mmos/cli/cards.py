"""Prints, reports and deletes fitness cards for the commands."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options
from mmos.cli.output import print_json
from mmos.cli.styles import style
from mmos.cli.text import flat, harmless

if TYPE_CHECKING:
    from pathlib import Path

    from mmos.config.load import Config
    from mmos.fitness.card import Card
    from mmos.fitness.shelf import Shelf
    from mmos.fitness.verdict import Verdict
    from mmos.hosts.face import Installed


def channels_of(options: Options, config: Config) -> dict[str, Verdict]:
    """Find the channels that cards choose for the roles of a configuration."""
    from mmos.fitness.shelf import Shelf
    from mmos.fitness.verdict import of_roles

    shelf = Shelf.of_state(options.state_folder(config.path))
    warn_of_damaged(shelf)
    return of_roles(config, shelf.cards())


def warn_of_damaged(shelf: Shelf) -> None:
    for path in shelf.damaged():
        text = f"The fitness card {path} cannot be read, so it has no effect. Test the model again: mmos models test MODEL"
        click.echo(f"{style('warning', 'warning')}: {harmless(text)}", err=True)


# ---------------------------------------------------------------- beside what a host reports about a model


def fitness_of(options: Options, config: Config, model: str, hosts: Sequence[str]) -> list[Card | None]:
    """Find the card of a model on each of these hosts. A rehearsal has no cards."""
    from mmos.fitness.shelf import Shelf

    if options.rehearse:
        return [None for _ in hosts]
    shelf = Shelf.of_state(options.state_folder(config.path))
    warn_of_damaged(shelf)
    return [shelf.find(model, host) for host in hosts]


def as_json(card: Card | None, listed: Installed | None) -> dict[str, Any] | None:
    return None if card is None else {**card.document(), "current": _is_current(card, listed)}


def lines(card: Card | None, listed: Installed | None) -> list[str]:
    if card is None:
        return []
    if not _is_current(card, listed):
        again = f"mmos models test {quote(card.model)} --host {quote(card.host)}"
        return [f"  tested    {card.day}: another version of this model, so the card has no effect; test again: {again}"]
    channel = f"  channel   {card.channel}, if its role does not set one" if card.channel else ""
    return [*filter(None, (f"  tested    {card.day}: {card.comparison}", channel)), f"  suits     {suits(card)}"]


def suits(card: Card) -> str:
    """Name the jobs that the model suits, or what it lacks for the easiest one."""
    from mmos.fitness.card import FIT_ARBITER, FIT_SPECIALIST, percent

    if card.channel is None:
        return "unknown: no channel was tested completely"
    if not card.suits:
        return f"nothing here: a specialist that calls tools needs {percent(FIT_SPECIALIST)}, an arbiter {percent(FIT_ARBITER)}"
    return f"{', '.join(card.suits)}{'' if 'arbiter' in card.suits else f' (an arbiter needs {percent(FIT_ARBITER)})'}"


def _is_current(card: Card, listed: Installed | None) -> bool:
    return listed is not None and card.is_of(listed.digest)


# ---------------------------------------------------------------- forgetting


def forget(options: Options, model: str | None, hosts: Sequence[str]) -> int:
    """Delete the cards of a model, or all cards. From the next run on, only the host decides how the model is offered tools."""
    from mmos.fitness.shelf import Shelf

    shelf = Shelf.of_state(options.found_state())
    cards, damaged = shelf.cards(), shelf.damaged() if model is None and not hosts else []
    selection = cards if model is None else _of_model(cards, model)
    selection = [card for card in selection if not hosts or card.host in hosts]
    if not selection and (model is not None or hosts):
        raise _unknown(model, hosts, cards, shelf)
    for card in selection:
        shelf.forget(card)
    shelf.forget_damaged(damaged)
    if options.json:
        rows = [{"model": card.model, "host": card.host, "tested": card.tested} for card in selection]
        print_json({"version": 1, "forgotten": rows, "damaged": [str(path) for path in damaged]})
    else:
        _say(selection, damaged, shelf)
    return 0


def _say(forgotten: Sequence[Card], damaged: Sequence[Path], shelf: Shelf) -> None:
    for card in forgotten:
        click.echo(flat(f"Forgot the card of {card.model} on {card.host} ({card.day}: {card.comparison})."))
    for path in damaged:
        click.echo(f"Removed {path}, which was damaged.")
    if not forgotten and not damaged:
        click.echo(f"There are no fitness cards in {shelf.folder}.", err=True)


def _of_model(cards: Sequence[Card], name: str) -> list[Card]:
    """Find cards by MODEL or MODEL@HOST. A model's own name may contain an @."""
    from mmos.names import same_model

    model, _, host = name.rpartition("@")
    whole = [card for card in cards if same_model(card.model, name)]
    return whole or [card for card in cards if card.host == host and same_model(card.model, model)]


def _unknown(model: str | None, hosts: Sequence[str], cards: Sequence[Card], shelf: Shelf) -> Exception:
    from mmos.errors import NotFound

    selection = (f" of {model!r}" if model else "") + (f" on {', '.join(hosts)}" if hosts else "")
    names = ", ".join(f"{card.model}@{card.host}" for card in cards) or "none"
    return NotFound(f"There is no fitness card{selection} in {shelf.folder}.", next_step=f"Cards: {names}.")

"""`mmos models`: lists and shows the models of the fleet, what they can do, and where they are loaded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mmos.cli import benchmarks
from mmos.cli.cards import as_json as card_as_json
from mmos.cli.cards import fitness_of, lines
from mmos.cli.compare.command import compare
from mmos.cli.fleet import (
    SHOW_SECONDS,
    described,
    fault,
    fleet_of,
    gigabytes,
    holding,
    missing,
    nobody,
    select_hosts,
    states_of,
    staying,
    window,
)
from mmos.cli.hints import HintingGroup
from mmos.cli.models_benchmark import benchmark
from mmos.cli.models_known import Known, as_json, known_of, recall, words
from mmos.cli.models_known import lines as known_lines
from mmos.cli.models_load import unload, warm
from mmos.cli.models_outcomes import outcomes
from mmos.cli.models_pull import pull
from mmos.cli.models_test import test
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.styles import style
from mmos.cli.tables import Cell, table
from mmos.cli.text import flat, harmless
from mmos.config.capabilities import CAPABILITIES
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.catalog.known import KnownModel
    from mmos.config.load import Config
    from mmos.errors import HostError
    from mmos.fleet.fleet import Fleet
    from mmos.fleet.survey import HostState
    from mmos.hosts.face import Card, Installed, Loaded

HEADS = ("MODEL", "SIZE", "FAMILY", "PARAMETERS", "QUANTIZATION", "CONTEXT", "CAN", "GOOD AT", "HOSTS", "ROLES", "LOADED")
SPARE = ("FAMILY", "QUANTIZATION", "PARAMETERS", "CONTEXT", "CAN", "ROLES", "SIZE", "GOOD AT")
WORDS = {"completion": "chat", "embedding": "embeddings"}
HEAD_LINES = 6


@click.group(cls=HintingGroup)
def models() -> None:
    """List, show, test, measure, compare, pull, warm and unload the models of the fleet.

    \b
    mmos models list
    mmos models pull qwen2.5:14b
    mmos models warm qwen2.5:14b
    """


models.add_command(test)
models.add_command(benchmark)
models.add_command(compare)
models.add_command(pull)
models.add_command(warm)
models.add_command(unload)
models.add_command(outcomes)


@dataclass(frozen=True)
class Row:
    """One model and the hosts that have it."""

    model: Installed
    """The description from the host that reports most."""
    states: Sequence[HostState]
    roles: Sequence[str]
    known: KnownModel

    @property
    def differs(self) -> bool:
        """Whether hosts have different models under this name."""
        return len({found.digest for state in self.states if (found := state.has(self.model.name)) and found.digest}) > 1


# ---------------------------------------------------------------- list


@models.command("list")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Show only the models of this host. Repeatable.")
@click.option("--capability", type=click.Choice(CAPABILITIES, case_sensitive=False), help="Show only models with this capability.")
@shared_options
def list_models(options: Options, hosts: tuple[str, ...], capability: str | None) -> int:
    """List the models of all hosts: their sizes, abilities and roles, what they are good at, which hosts have them, and where they are loaded.

    Models that the configuration names and that no host has now are listed, too. `mmos models show MODEL` says why a model is good at something.

    \b
    mmos models list
    mmos models list --host ollama01 --json
    mmos models list --capability code_specialized
    """
    return run_to_end(lambda: _list(options, hosts, capability))


async def _list(options: Options, hosts: tuple[str, ...], capability: str | None) -> int:
    async with fleet_of(options, remembers=True) as (config, fleet):
        names = select_hosts(hosts, config.servers())
        states, _ = await asyncio.gather(states_of(config, fleet, names), recall(fleet))
        states = await described(fleet, states)
        known = known_of(options, config, fleet, states)
    found = [row for row in rows(config, states, known) if row.states or not names]
    found = [row for row in found if capability is None or capability in row.known.capabilities]
    heard = any(state.reachable for state in states)
    if options.json and heard:
        print_json(_listing(found, states))
        return 0
    if found and not options.json:
        table(HEADS, [_as_cells(row, all(state.reachable for state in states)) for row in found], SPARE)
    if not heard:
        raise nobody(states)
    for state in states:
        if not state.reachable and state.error is not None:
            click.echo(style(f"{state.name} did not answer: ", "warning") + harmless(state.error.message), err=True)
    if not found:
        none = f"No model has {capability}." if capability else "No models yet. Fetch one: mmos models pull qwen2.5:7b"
        click.echo(none, err=True)
    return 0


def rows(config: Config, states: Sequence[HostState], catalog: Known) -> list[Row]:
    """List every model of the catalog once, ordered by name."""
    from mmos.hosts.face import Installed
    from mmos.names import canonical

    first: dict[str, Installed] = {}
    for model in (model for state in states for model in state.installed):
        known = first.setdefault(canonical(model.name), model)
        if _told(model) > _told(known):  # some kinds of hosts report only names, and older versions report no capabilities
            first[canonical(model.name)] = model
    roles = config.users()
    return [
        Row(
            first.get(name) or Installed(known.name),
            [state for state in states if state.has(name)],
            [role.name for role in roles if role.uses(name)],
            known,
        )
        for name, known in sorted(catalog.items())
    ]


def _told(model: Installed) -> int:
    return (model.size > 0) + (model.capabilities is not None) + (model.context_length is not None)


def _as_cells(row: Row, heard: bool) -> list[Cell]:
    """`heard`: whether all hosts have answered."""
    model = row.model
    hosts = ", ".join(state.name for state in row.states)
    places: Cell = hosts or ("no host has it" if heard else "not reachable", "warning")
    return [
        model.name, gigabytes(model.size) if model.size else "-", model.family or "-", model.parameters or "-", model.quantization or "-",
        window(model.context_length), _abilities(model), words(row.known), (f"{hosts} (not the same)", "warning") if row.differs else places,
        ", ".join(row.roles) or "-", _loaded_where(row),
    ]  # fmt: skip


def _abilities(model: Installed) -> Cell:
    if model.remote:
        return "forwards to a cloud", "warning"
    return can(model.capabilities)


def can(capabilities: frozenset[str] | None) -> str:
    return "?" if capabilities is None else ", ".join(sorted(WORDS.get(one, one) for one in capabilities)) or "-"


def _loaded_where(row: Row) -> Cell:
    loads = [(state, loaded) for state in row.states if (loaded := state.holds(row.model.name))]
    places = [f"{state.name} {window(loaded.context_length)} {staying(loaded, time.time())}".strip() for state, loaded in loads]
    return (", ".join(places), "ok") if places else "-"


def _listing(found: Sequence[Row], states: Sequence[HostState]) -> dict[str, Any]:
    silent = [{"host": state.name, **(fault(state.error) or {})} for state in states if not state.reachable]
    return {"version": 1, "models": [_as_json(row) for row in found], "silent": silent}


def _as_json(row: Row) -> dict[str, Any]:
    model, now = row.model, time.time()
    loads = [{"host": state.name, **holding(loaded, now)} for state in row.states if (loaded := state.holds(model.name))]
    return {
        "model": model.name,
        "size": model.size,
        "family": model.family,
        "parameters": model.parameters,
        "quantization": model.quantization,
        "context_length": model.context_length,
        "capabilities": None if model.capabilities is None else sorted(model.capabilities),
        "remote": model.remote,
        "hosts": [state.name for state in row.states],
        "differs": row.differs,
        "roles": list(row.roles),
        "loaded": loads,
        "known": as_json(row.known),
    }


# ---------------------------------------------------------------- show


@models.command()
@click.argument("model")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Show only what this host reports. Repeatable.")
@shared_options
def show(options: Options, model: str, hosts: tuple[str, ...]) -> int:
    """Show what each host reports about MODEL: window, layers, capabilities, template, and the memory that its window takes.

    At the end stands what MMOS knows of it: what it is good at, and why. MODEL may be a key under `models` of the configuration.

    \b
    mmos models show qwen2.5:14b
    mmos models show qwen2.5:14b --host ollama01 --json
    """
    return run_to_end(lambda: _show(options, model, hosts))


async def _show(options: Options, model: str, hosts: tuple[str, ...]) -> int:
    from mmos.names import canonical

    async with fleet_of(options, remembers=True) as (config, fleet):
        names = select_hosts(hosts, config.servers())
        model = config.named(model)
        states, _ = await asyncio.gather(states_of(config, fleet, names), recall(fleet))
        states = await described(fleet, states)
        known = known_of(options, config, fleet, states).get(canonical(model))
        having = [state for state in states if state.has(model)]
        if not having or known is None:
            if known is not None and not options.json:
                click.echo("\n".join(known_lines(known)))
            raise missing(model, states)
        replies = await asyncio.gather(*(_card(fleet, state, model) for state in having))
    cards = list(zip(having, replies, fitness_of(options, config, model, [state.name for state in having]), strict=True))
    figures = {state.name: benchmarks.kept(options, config, model, state.name, state.has(model)) for state in having}
    if options.json:
        rows = [
            {
                **_card_as_json(state, model, card),
                "fitness": card_as_json(trial, state.has(model)),
                "benchmark": benchmarks.as_json(*newest) if (newest := figures[state.name]) else None,
            }
            for state, card, trial in cards
        ]
        print_json({"version": 1, "model": model, "hosts": rows, "known": as_json(known)})
    else:
        parts = [
            [*_card_lines(state, model, card), *lines(trial, state.has(model)), *benchmarks.shown(figures[state.name])]
            for state, card, trial in cards
        ]
        click.echo("\n\n".join("\n".join(part) for part in [*parts, known_lines(known)]))
    return 0


async def _card(fleet: Fleet, state: HostState, model: str) -> Card | HostError:
    from mmos.errors import HostError, HostTimeout

    host, listed = state.name, state.has(model)
    model = listed.name if listed else model  # in the host's spelling
    try:
        async with asyncio.timeout(SHOW_SECONDS):
            return await fleet.host(host).show(model)
    except HostError as error:
        return error
    except TimeoutError:
        return HostTimeout(f"{host} did not describe {model} within {SHOW_SECONDS:g} s.", host=host, model=model)


def _card_as_json(state: HostState, model: str, card: Card | HostError) -> dict[str, Any]:
    from mmos.errors import HostError
    from mmos.fleet.memory import cache

    listed = state.has(model)
    if isinstance(card, HostError) or listed is None:
        return {"host": state.name, "error": fault(card) if isinstance(card, HostError) else None}
    memory, loaded = cache(card.details), state.holds(model)
    return {
        "host": state.name,
        "error": None,
        "digest": listed.digest or None,
        "size": listed.size,
        "family": card.family,
        "parameters": card.parameters,
        "quantization": card.quantization,
        "capabilities": None if card.capabilities is None else sorted(card.capabilities),
        "context_length": card.context_length,
        "layers": _info(card.details, "block_count"),
        "embedding_length": _info(card.details, "embedding_length"),
        "kv_bytes_per_token": memory.token_bytes if memory else None,
        "kv_at_most": memory.at_most if memory else None,
        "template": card.template,
        "loaded": holding(loaded, time.time()) if loaded else None,
    }


def _info(details: Mapping[str, Any], name: str) -> int | None:
    value = details.get(f"{details.get('general.architecture')}.{name}")
    return value if isinstance(value, int) else None


def _card_lines(state: HostState, model: str, card: Card | HostError) -> list[str]:
    from mmos.errors import HostError
    from mmos.fleet.memory import cache

    listed, loaded = state.has(model), state.holds(model)
    head = style(flat(f"{listed.name if listed else model} on {state.name}"), "bold")
    if isinstance(card, HostError):
        return [head, f"  {harmless(str(card))}"]
    memory = cache(card.details)
    facts = {
        "size": gigabytes(listed.size) if listed and listed.size else "",
        "model": " · ".join(filter(None, (card.family, card.parameters, card.quantization))),
        "can": can(card.capabilities),
        "window": f"up to {window(card.context_length)}" if card.context_length else "",
        "layers": str(_info(card.details, "block_count") or ""),
        "cache": f"{'at most ' if memory.at_most else ''}{1024 * memory.token_bytes / (1 << 20):.4g} MB for 1k tokens" if memory else "",
        "loaded": _loaded(state, loaded),
        "digest": listed.digest[:12] if listed else "",
    }
    lines = [f"  {name:<9} {flat(text)}" for name, text in facts.items() if text]
    return [head, *lines, *_template_lines(card.template)]


def _loaded(state: HostState, loaded: Loaded | None) -> str:
    if loaded is None:
        return "no" if state.abilities.tells_loaded else "unknown: its host does not say"
    return " · ".join(filter(None, (window(loaded.context_length), staying(loaded, time.time()))))


def _template_lines(template: str) -> list[str]:
    if not template:
        return []
    lines = harmless(template).splitlines()
    more = [f"    … {counted(len(lines) - HEAD_LINES, 'more line')}: --json shows all of it"] if len(lines) > HEAD_LINES else []
    return ["  template", *(f"    {line[:150]}" for line in lines[:HEAD_LINES]), *more]

"""What the catalog knows of models, for the commands: as words in a table, as lines, and as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mmos.cli.styles import style
from mmos.cli.text import flat
from mmos.config.capabilities import CAPABILITIES

if TYPE_CHECKING:
    from mmos.catalog.known import KnownModel
    from mmos.cli.options import Options
    from mmos.config.load import Config
    from mmos.fleet.fleet import Fleet
    from mmos.fleet.survey import HostState

_WORDS = {
    "FAST_INFERENCE": "fast", "HIGH_QUALITY": "quality", "CODE_SPECIALIZED": "code", "LARGE_CONTEXT": "long texts",
    "SECURITY_FOCUSED": "security", "REASONING": "reasoning", "TOOL_CALLING": "tools", "VISION": "images", "EMBEDDING": "embeddings",
}  # fmt: skip
LISTING_SECONDS = 1.5
"""How long hosts have to list their models, so that speeds of earlier runs are known of the models that are still the same."""

Known = Mapping[str, "KnownModel"]
"""By canonical name."""


async def recall(fleet: Fleet) -> None:
    """Have the fleet remember the speeds that earlier runs have seen."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LISTING_SECONDS):
            await fleet.census()


def known_of(options: Options, config: Config, fleet: Fleet, states: Sequence[HostState]) -> Known:
    """The catalog of these hosts, with the measurements of the state folder. A rehearsal has none."""
    from mmos.app.catalog import Evidence, of_states
    from mmos.fitness.history import History
    from mmos.fitness.shelf import Shelf
    from mmos.names import canonical

    evidence = Evidence()
    if not options.rehearse:
        state = options.state_folder(config.path)
        evidence = Evidence(History.of_state(state).newest(), fleet.speeds.known(), Shelf.of_state(state).cards())
    return {canonical(model.name): model for model in of_states(config, states, evidence)}


def words(model: KnownModel) -> str:
    """What it is good at, in the order of the documentation."""
    return ", ".join(_WORDS[name] for name in CAPABILITIES if name in model.capabilities) or "-"


def reasons(model: KnownModel) -> dict[str, str]:
    """What it is good at, each with the reason, for JSON."""
    return {name: model.why[name] for name in CAPABILITIES if name in model.capabilities}


def as_json(model: KnownModel) -> dict[str, Any]:
    return {
        "good_at": reasons(model),
        "disputed": dict(model.disputed),
        "keys": list(model.keys),
        "description": model.description,
        "family": model.family,
        "parameters": model.parameters,
        "window": model.window,
        "max_tokens": model.max_tokens,
        "memory_gb": model.memory_gb,
        "reads": model.reads,
        "writes": model.writes,
        "load_seconds": model.load_seconds,
        "calls": model.calls,
    }


def lines(model: KnownModel) -> list[str]:
    """What is known of it beside what each host reports."""
    first, *others = [f"{name}: {why}" for name, why in reasons(model).items()] or ["nothing that is known"]
    facts = [
        ("good at", first),
        *(("", other) for other in others),
        *(("but", f"{name}: {why}") for name, why in sorted(model.disputed.items())),
        ("keys", ", ".join(model.keys)),
        ("for", model.description),
        ("family", model.family),
        ("memory", f"{model.memory_gb:g} GB" if model.memory_gb else ""),
        ("answers", f"at most {model.max_tokens} tokens" if model.max_tokens else ""),
        ("speed", speed(model)),
    ]
    return [style(flat(model.name), "bold"), *(f"  {label:<9} {flat(text)}" for label, text in facts if text)]


def speed(model: KnownModel) -> str:
    parts = (
        f"writes {model.writes:.0f} tokens/s" if model.writes else "",
        f"reads {model.reads:.0f} tokens/s" if model.reads else "",
        f"loads in {model.load_seconds:.1f} s" if model.load_seconds else "",
    )
    return ", ".join(filter(None, parts))

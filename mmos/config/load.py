"""Reads and checks a configuration. Returns a valid one, or raises an error with every problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mmos.config.crosscheck import crosscheck
from mmos.config.document import MOST_PROBLEMS, Document, in_order, read_mapping, read_text
from mmos.config.environment import MOST_CHARACTERS, Expansion
from mmos.config.foreign.dialects import in_our_keys, read_configuration
from mmos.config.gpus import unmet
from mmos.config.keeping import Keep, keeping_of
from mmos.config.model_keys import named, sizes_of
from mmos.config.roles import Changes, ResolvedRole, each_choice, implicit_servers, resolve_members, resolve_roles, windows_of
from mmos.config.schema import File, Orchestration, Server
from mmos.config.sources import Source, expanded, find, home_of, local_address
from mmos.config.translate import translate
from mmos.config.windows import Windows
from mmos.config.world import Surroundings, unset_variables, warnings
from mmos.errors import ConfigError, Problem

__all__ = ["Config", "Source", "find", "from_mapping", "from_text", "load"]


@dataclass(frozen=True)
class Config:
    """A valid configuration, with its file and its warnings."""

    orchestration: Orchestration
    path: Path | None
    """The file; None for the built-in one and for a mapping."""
    warnings: tuple[Problem, ...]
    implicit: Mapping[str, Server]
    """Hosts that roles name and the file does not define."""
    defined: Mapping[str, Server] = field(repr=False)
    """The hosts that the file defines, with whole paths of their model files."""
    document: Document = field(repr=False, compare=False)
    played: bool = False
    """Whether rehearsal hosts play its servers."""
    found: bool = False
    """Whether MMOS only found the file, and nobody named it. Then the user must agree to what it asks for."""

    def __repr__(self) -> str:
        return f"<Config {self.path or 'without a file'}>"

    @property
    def folder(self) -> Path | None:
        return home_of(self.path) if self.path else None

    @property
    def text(self) -> str:
        """The text of the file, with references to the environment not replaced."""
        return self.document.text

    def roles(self, changes: Changes | None = None, *, gpu: int | None = None) -> dict[str, ResolvedRole]:
        """`gpu`: where a run wants the roles that may run there."""
        return resolve_roles(self.orchestration, changes or {}, gpu)

    def members(self) -> list[ResolvedRole]:
        """The models that patterns ask beside the roles, each as a role with the name PATTERN/MEMBER."""
        return resolve_members(self.orchestration) if self.orchestration.patterns else []

    def users(self) -> list[ResolvedRole]:
        """Everybody who uses a model: the roles, and the members of patterns."""
        return [*self.roles().values(), *self.members()]

    def asked(self) -> list[ResolvedRole]:
        """The same, with every role once for each of its models."""
        return [*each_choice(self.roles()), *self.members()]

    def windows(self, changes: Changes | None = None) -> Windows:
        """Which window a model has on a host."""
        return windows_of(self.orchestration, changes or {})

    def named(self, spelling: str) -> str:
        """The name of a model, for a key under `models` or for the name itself."""
        return named(spelling, self.orchestration.models)[0].model

    def keeping(self) -> Mapping[str, Keep]:
        """What each server keeps in memory."""
        return keeping_of(self.roles().values(), self.servers(), self.sizes())

    def sizes(self) -> Mapping[str, float]:
        """The gigabytes that models take by the word of the user, by their canonical names."""
        return sizes_of(self.orchestration.models)

    def servers(self) -> dict[str, Server]:
        return {**self.defined, **self.implicit}

    def played_by(self, servers: Mapping[str, Server]) -> Config:
        """The same configuration with these servers instead of its own."""
        defined = {name: servers[name] for name in self.defined}
        orchestration = self.orchestration.model_copy(update={"servers": defined})
        implicit = {name: servers[name] for name in self.implicit}
        return replace(self, orchestration=orchestration, defined=defined, implicit=implicit, played=True)


def load(source: Source | Path | str, *, environ: Mapping[str, str]) -> Config:
    if not isinstance(source, Source):
        source = Source(Path(source).absolute(), str(source))
    path = source.path or source.built_in
    document = read_configuration(path, source.name, cure="; `mmos config init` writes a configuration")
    return replace(_check(document, source.path, environ), found=source.found)


def from_text(text: str, name: str, environ: Mapping[str, str]) -> Config:
    return _check(in_our_keys(read_text(text, name)), None, environ)


def from_mapping(mapping: Mapping[str, Any], *, environ: Mapping[str, str], name: str = "") -> Config:
    """`name` is where the mapping comes from."""
    return _check(in_our_keys(read_mapping(mapping, name)), None, environ)


def _check(document: Document, path: Path | None, environ: Mapping[str, str]) -> Config:
    local = local_address(environ)
    # OLLAMA_HOST may be as short as `gpu1`; a reference to it gives the whole address.
    expansion = Expansion({**environ, "OLLAMA_HOST": local} if environ.get("OLLAMA_HOST") else environ)
    data = expansion.expand(document.data)
    problems = [*document.problems, *_unexpanded(document, expansion)]
    orchestration = None
    try:
        orchestration = File.model_validate(data).orchestration
        problems += [document.problem(("orchestration", *place), message) for place, message in unmet(orchestration, document)]
    except ValidationError as error:
        problems += translate(error, document, dict(expansion.unset))
    problems += crosscheck(data, document)
    if problems or orchestration is None:
        raise ConfigError(_first(in_order(problems)))
    around = Surroundings(environ, home_of(path) if path else Path.cwd())
    notes = document.notes + unset_variables(expansion.unset, document) + warnings(orchestration, document, around)
    implicit = implicit_servers(orchestration, local)
    return Config(orchestration, path, tuple(_first(in_order(notes))), implicit, _placed(orchestration, around), document)


def _placed(orchestration: Orchestration, around: Surroundings) -> dict[str, Server]:
    """The servers, with whole paths, because the working folder may be another than the configuration's."""

    def whole(path: str) -> str:
        return path if path == "builtin" else str(around.folder / expanded(path, around.environ))

    return {
        name: server.model_copy(update={"models": {model: whole(path) for model, path in server.models.items()}})
        if server.models
        else server
        for name, server in orchestration.servers.items()
    }


def _unexpanded(document: Document, expansion: Expansion) -> Iterator[Problem]:
    for place, text in expansion.broken:
        yield document.problem(place, f"'{text}' is not a reference, allowed: ${{NAME}} or ${{NAME:-default}}; write $${{ for a plain ${{")
    if expansion.overfull is not None:
        yield document.problem(
            expansion.overfull, f"the environment adds too much text, allowed: {MOST_CHARACTERS:,} characters in one file"
        )


def _first(problems: list[Problem]) -> list[Problem]:
    """The first problems, and a count of the others."""
    others = len(problems) - MOST_PROBLEMS
    return problems if others <= 0 else [*problems[:MOST_PROBLEMS], Problem("", "", f"{others:,} more problems are not shown")]

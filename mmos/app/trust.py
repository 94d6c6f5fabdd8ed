"""Asks for consent before a configuration that nobody named runs code or sends variables of the environment to other machines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from shlex import join, quote

from mmos.app import ready, wiring
from mmos.app.trust_store import TrustStore
from mmos.config.load import Config
from mmos.config.outgoing import is_away, outgoing_variables
from mmos.config.patterns_schema import own_forms
from mmos.config.sources import user_state
from mmos.config.tools_schema import functions_in
from mmos.config.wording import listed, shown
from mmos.errors import ConfigError, Problem
from mmos.prompting.templates import NAMES
from mmos.tools.looking import UnusableError
from mmos.tools.sources import source_files

HINT = "Look at the file. If you trust it, add --trust once, or name it: -c {path}"


@dataclass(frozen=True)
class Consent:
    """What a configuration file asks for, and where MMOS remembers that the user agreed."""

    path: Path
    name: str
    demands: Sequence[str]
    """What it asks for, one line each."""
    digest: str
    """Of the file, of what it asks for and of the code that it runs. When one of these changes, MMOS asks again."""
    store: TrustStore

    @property
    def is_given(self) -> bool:
        return self.store.knows(self.path, self.digest)

    def remember(self) -> None:
        """Raises `OSError` if the store cannot be written."""
        self.store.add(self.path, self.digest)

    @property
    def text(self) -> str:
        lines = "".join(f"\n  - {demand}" for demand in self.demands)
        return f"nobody named this file, and it wants to:{lines}"

    @property
    def warning(self) -> Problem:
        """The warning of a command that reads the file and runs nothing of it."""
        return Problem(self.name, "", f"{self.text}\nAt a terminal, MMOS asks whether you trust it. In a script, add --trust")

    @property
    def refusal(self) -> ConfigError:
        return ConfigError([Problem(self.name, "", self.text)], next_step=HINT.format(path=self.name))


def check(config: Config, environ: Mapping[str, str]) -> None:
    """Refuse a file that nobody named, if it asks for something that the user has not agreed to."""
    if (consent := pending(config, environ)) is not None:
        raise consent.refusal


def pending(config: Config, environ: Mapping[str, str], *, runs: bool = True) -> Consent | None:
    """The consent that a file needs which nobody named. None if it needs none, or has it."""
    consent = consent_of(config, environ, runs=runs) if config.found else None
    return None if consent is None or consent.is_given else consent


def consent_of(config: Config, environ: Mapping[str, str], *, runs: bool = True) -> Consent | None:
    """The consent that a file needs. None if it asks for nothing. `runs=False`: its code does not run, so only its hosts count."""
    path = config.path
    if path is None:
        return None
    code, variables, prompts = _code(config), outgoing_variables(config), list(_prompts(config))
    tools = [*ready.demands(config), *_tests(config)]
    if not prompts and not (runs and (code or tools)) and not any(environ.get(one.variable) for one in variables):
        return None
    demands = [
        *(f"run {shown(text)}, which is code" for text in code),
        *tools,
        *(f"send the variable {one.variable} to {listed(one.hosts)} ({one.key})" for one in variables),
        *prompts,
    ]
    return Consent(path, config.document.name, demands, _digest(config, prompts), TrustStore(user_state(environ) / "trusted.json"))


def _code(config: Config) -> list[str]:
    """The functions and classes that the file names, as module:name."""
    return [*functions_in(config.orchestration.tools).values(), *own_forms(config.orchestration.patterns).values()]


def _tests(config: Config) -> Iterator[str]:
    """The test command that `mmos modify --validate` runs."""
    if command := config.orchestration.quality.command:
        yield f"run {shown(join(command), 200)} after files were rewritten (quality.command)"


def _prompts(config: Config) -> Iterator[str]:
    """The prompts that are links to files outside the folder. MMOS sends them to its hosts."""
    templates = wiring.templates_of(config)
    if config.folder is None or not any(map(is_away, config.servers().values())):
        return
    for name in NAMES:
        path = templates.own(name)
        if path is not None and path.is_symlink() and not path.resolve().is_relative_to(config.folder.resolve()):
            yield f"send the file {shown(str(path.resolve()), 200)} to its hosts (prompt {name})"


def _digest(config: Config, prompts: Sequence[str]) -> str:
    digest = blake2b(digest_size=32)
    folder = config.folder or Path()
    try:
        code = source_files((text.partition(":")[0] for text in _code(config)), folder)
    except UnusableError as error:
        problem = Problem(config.document.name, "orchestration.tools", str(error))
        raise ConfigError([problem], next_step=f"If you trust it, name the file: -c {quote(str(config.path))}") from None
    parts = [config.text, "rehearsed" if config.played else "", *prompts]
    for part in [
        *(part.encode() for part in parts),
        *(piece for path in sorted(code) for piece in (os.fsencode(path.relative_to(folder)), code[path])),
    ]:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()

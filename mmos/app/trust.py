"""Asks for consent before a configuration that nobody named runs code or sends what is in the environment to other machines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from shlex import quote

from mmos.app import wiring
from mmos.app.trusted import Trusted
from mmos.config.load import Config
from mmos.config.outgoing import is_away, outgoing_variables
from mmos.config.sources import user_state
from mmos.config.wording import listed, shown
from mmos.errors import ConfigError, Problem
from mmos.prompting.templates import NAMES
from mmos.tools.looking import UnusableError
from mmos.tools.sources import source_files

HINT = "Look at the file. If you trust it, add --trust once, or name it: -c {path}"


@dataclass(frozen=True)
class Consent:
    """What a file asks for, and where it is kept that the user agreed."""

    path: Path
    name: str
    demands: Sequence[str]
    """What it asks for, a line each."""
    digest: str
    """Of the file, of what it asks for and of the code that it runs: whatever changes is asked about again."""
    kept: Trusted

    @property
    def given(self) -> bool:
        return self.kept.knows(self.path, self.digest)

    def remember(self) -> None:
        """Raises `OSError` where it cannot be kept."""
        self.kept.add(self.path, self.digest)

    @property
    def text(self) -> str:
        lines = "".join(f"\n  - {demand}" for demand in self.demands)
        return f"nobody named this file, and it wants to:{lines}"

    @property
    def warning(self) -> Problem:
        """For those who look at the file and run nothing of it."""
        return Problem(self.name, "", f"{self.text}\nAt a terminal you are asked whether you trust it; in scripts --trust says so")

    @property
    def refusal(self) -> ConfigError:
        return ConfigError([Problem(self.name, "", self.text)], next_step=HINT.format(path=self.name))


def check(config: Config, environ: Mapping[str, str]) -> None:
    """Refuse a file that was found and asks for what nobody agreed to."""
    if (consent := pending(config, environ)) is not None:
        raise consent.refusal


def pending(config: Config, environ: Mapping[str, str], *, runs: bool = True) -> Consent | None:
    """What a file that was found asks for and nobody agreed to yet."""
    consent = wanted(config, environ, runs=runs) if config.found else None
    return None if consent is None or consent.given else consent


def wanted(config: Config, environ: Mapping[str, str], *, runs: bool = True) -> Consent | None:
    """What there is to be agreed to; None where a file asks for nothing. `runs=False`: no code is going to run, so only hosts count."""
    path = config.path
    if path is None:
        return None
    code, variables, prompts = config.orchestration.tools, outgoing_variables(config), list(_prompts(config))
    if not prompts and not (runs and code) and not any(environ.get(one.variable) for one in variables):
        return None
    demands = [
        *(f"run {shown(text)}, which is code" for text in code),
        *(f"send the variable {one.variable} to {listed(one.hosts)} ({one.key})" for one in variables),
        *prompts,
    ]
    return Consent(path, config.document.name, demands, _digest(config, prompts), Trusted(user_state(environ) / "trusted.json"))


def _prompts(config: Config) -> Iterator[str]:
    """Prompts that are links to files elsewhere: a host reads them."""
    templates = wiring.templates_of(config)
    if config.folder is None or not any(map(is_away, config.servers().values())):
        return
    for name in NAMES:
        path = templates.own(name)
        if path is not None and path.is_symlink() and not path.resolve().is_relative_to(config.folder.resolve()):
            yield f"send the file {shown(str(path.resolve()), 200)} to its hosts (prompt {name})"


def _digest(config: Config, prompts: Sequence[str]) -> str:
    told = blake2b(digest_size=32)
    folder = config.folder or Path()
    try:
        code = source_files((text.partition(":")[0] for text in config.orchestration.tools), folder)
    except UnusableError as error:
        problem = Problem(config.document.name, "orchestration.tools", str(error))
        raise ConfigError([problem], next_step=f"If you trust it, name the file: -c {quote(str(config.path))}") from None
    parts = [config.text, "rehearsed" if config.played else "", *prompts]
    for part in [
        *(part.encode() for part in parts),
        *(piece for path in sorted(code) for piece in (os.fsencode(path.relative_to(folder)), code[path])),
    ]:
        told.update(len(part).to_bytes(8, "big") + part)
    return told.hexdigest()

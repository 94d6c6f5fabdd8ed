"""Asks hosts for their kind and their models, for `mmos config init` and `mmos config add-host`."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from mmos.cli.text import flat
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.config.survey import HostSurvey, SurveyedModel
    from mmos.hosts.face import Host, Installed
    from mmos.hosts.openai import Key

ASKING_SECONDS = 5.0
NEITHER = (
    "a server answers there, but neither as an Ollama (/api/version) nor as an OpenAI-shaped server (/v1/models). "
    "Is the port right? An OpenAI-shaped server may need its path: http://HOST:PORT/v1"
)


def addresses(hosts: Sequence[str]) -> list[tuple[str, str]]:
    """Find a name and a URL for each host. Hosts with the same name get numbers."""
    named: dict[str, str] = {}
    for host in hosts:
        url = _url(host)
        hostname = urlsplit(url).hostname or ""
        name = "local" if hostname in ("localhost", "127.0.0.1", "::1") else hostname.replace(".", "-")
        while name in named and named[name] != url:
            name += "-2"
        named[name] = url
    return list(named.items())


def _url(host: str) -> str:
    """Complete an address: a bare name is an Ollama on its usual port, a URL with a path is another server on the port of its scheme."""
    url = (host if "://" in host else f"http://{host}").rstrip("/")
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise click.BadParameter(f"{host!r} is not an address of a host", param_hint="HOSTS") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter(f"{host!r} is not an address of a host. Give a name, an address or a URL", param_hint="HOSTS")
    return f"{url}:11434" if port is None and parts.scheme == "http" and not parts.path else url


async def ask_hosts(hosts: Sequence[str], key: Key | None = None) -> list[HostSurvey]:
    """Ask all hosts at once. Report hosts that do not answer."""
    return list(await asyncio.gather(*(_ask(name, url, key) for name, url in addresses(hosts))))


def key_of(variable: str | None, hosts: Sequence[str]) -> Key | None:
    """Read the key from an environment variable. It goes to one host only."""
    from mmos.hosts.openai import Key

    if variable is None:
        return None
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise click.UsageError("--api-key-env takes the name of a variable in the environment, not the key itself.")
    if len(hosts) != 1:
        raise click.UsageError("--api-key-env needs exactly one HOST: a key must not go to other hosts.")
    return Key.of(variable, os.environ)


async def _ask(name: str, url: str, key: Key | None) -> HostSurvey:
    from mmos.config.survey import HostSurvey
    from mmos.errors import HostError, Unauthorized

    variable = key.variable if key else ""
    kind = "openai" if urlsplit(url).path.endswith("/v1") else "ollama"
    try:
        async with asyncio.timeout(ASKING_SECONDS):
            if key is not None:
                key.check(name, "")
            return await (_openai if kind == "openai" else _whichever)(name, url, key)
    except Unauthorized as error:
        return HostSurvey(name, url, False, error=str(error), kind="openai", api_key_env=variable or _variable(name), needs_key=key is None)
    except (HostError, TimeoutError) as error:
        message = str(error) or f"no answer within {ASKING_SECONDS:g} s"
        return HostSurvey(name, url, False, error=message, kind=kind, api_key_env=variable)


async def _whichever(name: str, url: str, key: Key | None) -> HostSurvey:
    """Ask as an Ollama first, then as an OpenAI-shaped server."""
    from mmos.errors import HostError, HostTimeout, HostUnreachable, ProtocolFault, Unauthorized
    from mmos.hosts.ollama import OllamaHost

    host = OllamaHost(name, url, headers=key.header if key else {})
    try:
        version = await host.version()
        return await _surveyed(host, url, "ollama", key, version)
    except (HostUnreachable, HostTimeout):
        raise
    except HostError as error:
        other = error
    finally:
        await host.close()
    try:
        return await _openai(name, url, key)
    except Unauthorized:
        raise
    except HostError:
        raise other if isinstance(other, Unauthorized) else ProtocolFault(NEITHER, host=name) from None


async def _openai(name: str, url: str, key: Key | None) -> HostSurvey:
    from mmos.hosts.openai import OpenAIHost

    host = OpenAIHost(name, url, key=key)
    try:
        return await _surveyed(host, host.url, "openai", key)
    finally:
        await host.close()


async def _surveyed(host: Host, url: str, kind: str, key: Key | None, version: str = "") -> HostSurvey:
    from mmos.config.survey import HostSurvey
    from mmos.hosts.describing import all_described

    listed = await host.tags()
    models = listed if kind == "openai" else await all_described(host, listed, ASKING_SECONDS / 2)
    variable = key.variable if key else ""
    return HostSurvey(host.name, url, True, version, tuple(map(_model, models)), kind=kind, api_key_env=variable)


def _model(model: Installed) -> SurveyedModel:
    from mmos.config.survey import SurveyedModel

    return SurveyedModel(
        model.name, model.size, model.parameters, model.family, model.capabilities, model.context_length, model.remote, model.digest
    )


def _variable(name: str) -> str:
    """Propose a name for the environment variable with the key of a host."""
    word = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f"{word if word[:1].isalpha() else f'HOST_{word}'}_KEY"


# ---------------------------------------------------------------- for people


def report(surveys: Sequence[HostSurvey], command: str) -> None:
    """Print a line for each host to stderr. `command` asks a host again that needs a key."""
    from mmos.config.wording import masked

    for survey in surveys:
        text = f"{survey.name} ({masked(survey.url)}): {_outcome(survey)}"
        click.echo(flat(text), err=True)
        if survey.needs_key:
            variable = survey.api_key_env
            click.echo(
                f"  Put its key into a variable: export {variable}=…   Then: {command} {masked(survey.url)} --api-key-env {variable}\n"
                f"  In the file, the host then has: api_key_env: {variable}",
                err=True,
            )


def _outcome(survey: HostSurvey) -> str:
    if survey.needs_key:
        return "it needs an API key"
    if not survey.reachable:
        return survey.error
    kind = f"Ollama {survey.version}" if survey.kind == "ollama" else "OpenAI-shaped server"
    return f"{kind}, {counted(len(survey.models), 'model')}"

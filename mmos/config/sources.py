"""Finds the configuration file: an option, the environment, this folder, the user's folder, or the built-in file."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmos.errors import ConfigError, Problem

FILE_NAME = "orchestration.yaml"
CAMUS_FOLDER = ".camus"
OF_OTHER_TOOLS = (f"{CAMUS_FOLDER}/config.yml", f"{CAMUS_FOLDER}/config.yaml", "opencode.toml")
"""Configurations of other tools in the working folder, in the order of looking."""
BUILT_IN = Path(__file__).with_name("default.yaml")
_EMBEDDED = Path(__file__).with_name("embedded.yaml")


@dataclass(frozen=True)
class Source:
    """The file of a configuration (None: built in), and its name in messages."""

    path: Path | None
    name: str
    built_in: Path = BUILT_IN
    """The file to read if there is no path."""
    found: bool = False
    """Whether nobody named the file and it is not in the user's own folder. It may have come with a stranger's files."""


BUILT_IN_SOURCE = Source(None, "built-in configuration")
EMBEDDED = Source(None, "built-in configuration of the embedded model", _EMBEDDED)
"""The configuration of `--embedded`."""


def find(explicit: str | None, environ: Mapping[str, str], cwd: Path) -> Source:
    """The first file that exists. A file that the user names must exist."""
    if explicit:
        return _named(explicit, cwd / expanded(explicit, environ), "-c")
    if environ.get("MMOS_CONFIG"):
        return _named(environ["MMOS_CONFIG"], cwd / expanded(environ["MMOS_CONFIG"], environ), "$MMOS_CONFIG")
    for name in (FILE_NAME, *OF_OTHER_TOOLS):
        if is_file(cwd / name):
            return Source(cwd / name, name, found=True)
    users = user_folder(environ) / FILE_NAME
    return Source(users, str(users)) if is_file(users) else BUILT_IN_SOURCE


def user_folder(environ: Mapping[str, str]) -> Path:
    """The folder of the user's own configuration."""
    base = Path(environ.get("XDG_CONFIG_HOME", ""))
    if not base.is_absolute():  # the XDG specification says to ignore a relative path
        base = _home(environ) / ".config"
    return base / "mmos"


def user_state(environ: Mapping[str, str]) -> Path:
    """The folder of what the user's own commands keep."""
    base = Path(environ.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():
        base = _home(environ) / ".local" / "state"
    return base / "mmos"


def home_of(path: Path) -> Path:
    """The folder that a configuration file is for: the one that it is in, or the one around `.camus`."""
    return path.parent.parent if path.parent.name == CAMUS_FOLDER else path.parent


def expanded(path: str, environ: Mapping[str, str]) -> Path:
    """`path` with `~/` as the home folder."""
    return _home(environ) / path[2:] if path.startswith("~/") else Path(path)


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that we may not look into holds nothing for us, and a name that is too long names nothing
        return False


def is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _named(name: str, path: Path, origin: str) -> Source:
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError:
        return Source(path, name)  # reading it gives the reason
    if is_folder:
        raise ConfigError([Problem(name, "", f"{origin} names a folder, allowed: a file; did you mean {name.rstrip('/')}/{FILE_NAME}?")])
    if not is_there:
        raise ConfigError([Problem(name, "", f"{origin} names a file that does not exist; `mmos config init` writes one")])
    return Source(path, name)


def local_address(environ: Mapping[str, str]) -> str:
    """The address of this machine's Ollama, from OLLAMA_HOST as Ollama reads it."""
    scheme, separator, rest = environ.get("OLLAMA_HOST", "").strip().strip("\"'").rpartition("://")
    scheme = scheme or "http"
    place, _, path = rest.partition("/")
    user, at, hostport = place.rpartition("@")
    host, port = _host_and_port(hostport)
    port = port or ({"http": "80", "https": "443"}.get(scheme, "11434") if separator else "11434")
    return f"{scheme}://{user}{at}{_reachable(host)}:{port}{'/' + path if path else ''}"


def _host_and_port(hostport: str) -> tuple[str, str]:
    host, colon, port = hostport.rpartition(":")
    if colon and "]" not in port and (":" not in host or host.startswith("[")):
        return host.strip("[]"), port if port.isdigit() and int(port) < 65536 else ""
    return hostport.strip("[]"), ""


def _reachable(host: str) -> str:
    """The address that a client connects to. A server may listen on 0.0.0.0; then this is the loopback address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "127.0.0.1"
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"

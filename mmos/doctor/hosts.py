"""Checks hosts: whether they answer, their keys, their addresses, their clocks and their versions of Ollama."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from shlex import quote
from typing import Literal
from urllib.parse import urlsplit

from mmos.doctor.facts import Facts
from mmos.doctor.findings import CODES, Finding, Level, error, info, warning
from mmos.fleet.survey import HostState
from mmos.plurals import counted


def reachable(facts: Facts) -> Iterator[Finding]:
    for state in facts.states:
        if state.error is None or _wants_key(facts, state):
            continue
        code = state.error.code if state.error.code in CODES["Hosts"] else "host_failed"
        yield Finding(_gravity(facts, state), code, state.name, state.error.message, state.error.next_step)


def _gravity(facts: Facts, state: HostState) -> Level:
    """A warning for a host that no role and no member of a pattern can use; an error for any other."""
    return "error" if any(state in facts.places(role) for role in facts.asked) else "warning"


def keys(facts: Facts) -> Iterator[Finding]:
    states = {state.name: state for state in facts.states}
    for host, variable in facts.unset_keys.items():
        name = variable if variable.isupper() else "the variable that api_key_env names"
        cure = f"export {name}=…" if name == variable else "Set it."
        refused = host in states and _wants_key(facts, states[host])
        so = "and it wants a key" if refused else "so requests go without a key"
        yield (error if refused else warning)("key_unset", host, f"{name} is not set in the environment, {so}.", cure)


def _wants_key(facts: Facts, state: HostState) -> bool:
    """It refuses because there is no key: one finding says both."""
    return state.name in facts.unset_keys and state.error is not None and state.error.code == "unauthorized"


def open_roads(facts: Facts) -> Iterator[Finding]:
    for name, server in facts.servers.items():
        parts = urlsplit(server.url)
        if parts.scheme == "http" and _is_public(parts.hostname or ""):
            yield warning(
                "plain_http_public", name,
                "Its address is public and not encrypted: others can read the prompts, and Ollama asks for no password.",
                "Put it behind a proxy with TLS and a password, or into a private network (WireGuard, Tailscale, ssh -L).",
            )  # fmt: skip


def _is_public(host: str) -> bool:
    """By number alone: names are not looked up for this."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def same_versions(facts: Facts) -> Iterator[Finding]:
    versions = {state.name: state.version for state in facts.states if state.version and state.kind in ("ollama", "rehearsal")}
    if len({*versions.values()}) > 1:
        listing = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield info("versions_differ", "hosts", f"Hosts run different versions of Ollama ({listing}), and the same model may behave differently.", "Bring them to the newest of these.")  # fmt: skip


def stuck(facts: Facts) -> Iterator[Finding]:
    for state in facts.states:
        if state.reachable and state.stuck is not None:
            minutes = counted(round(state.stuck.seconds / 60), "minute")
            yield warning(
                "host_stuck", state.name,
                f"It did not finish with {state.stuck.model} {minutes} ago, and seems to load no more. MMOS sends it only calls to the models in its memory.",
                f"Load a model: mmos models warm {quote(state.stuck.model)} --host {state.name}; if that hangs, unload the others or restart Ollama there",
            )  # fmt: skip


# ---------------------------------------------------------------- clocks

MOST_SECONDS = 30.0
"""A clock may differ by so much and trouble nobody."""


async def skew(url: str, patience: float, wall: Callable[[], float] = time.time) -> float | None:
    """Seconds that the clock behind an address is ahead of ours; None where it does not tell. No key is sent: any answer has the date."""
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError

    try:
        async with asyncio.timeout(patience), aiohttp.ClientSession(trust_env=False) as session:
            begin = wall()
            async with session.get(url, allow_redirects=False) as response:
                theirs = parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (TimeoutError, aiohttp.ClientError, HttpProcessingError, KeyError, ValueError, OverflowError):
        return None
    return theirs + 0.5 - (begin + wall()) / 2  # it tells whole seconds


def clocks(facts: Facts) -> Iterator[Finding]:
    for host, seconds in facts.skews.items():
        if abs(seconds) > MOST_SECONDS:
            where = "ahead of" if seconds > 0 else "behind"
            yield warning(
                "clock_skew", host,
                f"Its clock is {abs(seconds):.0f} s {where} this machine's, or this machine's is wrong. The times that models stay loaded are wrong by the same amount.",
                "On the machine whose clock is wrong: sudo timedatectl set-ntp true",
            )  # fmt: skip


# ---------------------------------------------------------------- versions

Number = tuple[int, int, int]


@dataclass(frozen=True)
class KnownFault:
    """Versions from one up to another, that one excluded, and what is wrong with them."""

    since: Number
    before: Number
    level: Level
    code: Literal["version_insecure", "version_too_old", "version_known_bad"]
    what: str
    cure: str = ""


UPDATE = "Update Ollama on {host}: https://ollama.com/download (on Linux: curl -fsSL https://ollama.com/install.sh | sh)"
KNOWN_FAULTS = (
    KnownFault((0, 0, 0), (0, 5, 0), "error", "version_too_old", "answers by a JSON schema, which roles without tool calls need, came with 0.5.0"),
    KnownFault((0, 0, 0), (0, 17, 1), "warning", "version_insecure", "anyone who can reach it can read its memory with a forged model file (CVE-2026-7482)"),
    KnownFault((0, 17, 1), (0, 20, 3), "warning", "version_insecure", "anyone who can reach it can read files outside the folder of images (CVE-2026-7020)"),
    KnownFault((0, 5, 0), (0, 12, 10), "info", "version_known_bad", "its tool calls have no ids, so only their order tells results apart"),
    KnownFault((0, 5, 0), (0, 30, 0), "info", "version_known_bad", "it may continue to compute a call that was cancelled before its first token"),
    KnownFault((0, 30, 6), (0, 30, 7), "warning", "version_known_bad", "on machines whose GPU shares the memory it throws out and reloads models that fit (#16610)"),
    KnownFault((0, 13, 0), (0, 34, 1), "info", "version_known_bad", "when a model repeats itself, Ollama ends the answer without an error (#18374)"),
)  # fmt: skip
"""From Ollama's issues and from our own measurements."""


def versions(facts: Facts) -> Iterator[Finding]:
    for state in facts.states:
        number = version_number(state.version) if state.kind in ("ollama", "rehearsal") else None
        if number is None:
            continue
        by_code: dict[str, list[KnownFault]] = {}
        for known in KNOWN_FAULTS:
            if known.since <= number < known.before:
                by_code.setdefault(known.code, []).append(known)
        for code, faults in by_code.items():
            level = min((fault.level for fault in faults), key=("error", "warning", "info").index)
            what = "; ".join(fault.what for fault in faults)
            yield Finding(level, code, state.name, f"Ollama {state.version}: {what}.", UPDATE.format(host=state.name))


def version_number(version: str) -> Number | None:
    """`0.33.0-rc2` is 0.33.0; what was built from source calls itself 0.0.0, and may be anything."""
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    number = (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)
    return None if number == (0, 0, 0) else number

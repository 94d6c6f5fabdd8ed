"""Checks hosts: no answer and why, keys that are not set, prompts that would travel unencrypted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from mmos.doctor.facts import Facts
from mmos.doctor.findings import CODES, Finding, Level, error, info, warning
from mmos.fleet.survey import HostState


def reachable(facts: Facts) -> Iterator[Finding]:
    for state in facts.states:
        if state.error is None or _wants_key(facts, state):
            continue
        code = state.error.code if state.error.code in CODES["Hosts"] else "host_failed"
        yield Finding(_gravity(facts, state), code, state.name, state.error.message, state.error.next_step)


def _gravity(facts: Facts, state: HostState) -> Level:
    """A warning for a host that no role can use; an error for any other."""
    return "error" if any(state in facts.places(role) for role in facts.roles.values()) else "warning"


def keys(facts: Facts) -> Iterator[Finding]:
    states = {state.name: state for state in facts.states}
    for host, variable in facts.unset_keys.items():
        shown = variable if variable.isupper() else "the variable that api_key_env names"
        cure = f"export {shown}=…" if shown == variable else "Set it."
        refused = host in states and _wants_key(facts, states[host])
        so = "and it wants a key" if refused else "so requests go without a key"
        yield (error if refused else warning)("key_unset", host, f"{shown} is not set in the environment, {so}.", cure)


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
        told = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield info("versions_differ", "hosts", f"Hosts run different versions of Ollama ({told}), and the same model may behave differently.", "Bring them to the newest of these.")  # fmt: skip

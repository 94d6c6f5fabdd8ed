"""Tells apart why a connection was refused: no server, a server for its own machine only, or an address inside a container."""

from __future__ import annotations

import ipaddress
import re

from mmos.diagnosis.log import Line
from mmos.diagnosis.of_hosts import MODEL_HOST
from mmos.diagnosis.signs import Finding, Sign, Text

_REFUSED = Sign(
    "SERVER_NOT_RUNNING",
    (
        r"connection ?refused|econnrefused|actively refused|connect call failed|winerror 10061",
        r"all connection attempts failed|nothing (listens|is listening)",
        r"(could not|couldn't|cannot|can't|unable to|failed to) (connect to|reach) (a running |the )?ollama",
        r"ollama[^\n]{0,20} (is |was )?(not|n't) (running|reachable|responding|started)",
        r"is (it|ollama|the server) running\?",
        r"(server|ollama|lm studio) is (offline|down|unreachable)\b",
    ),
    confidence=0.85,
)
_NO_CONNECTION = Sign(
    "SERVER_NOT_RUNNING",
    (
        r"(failed|unable|cannot|can't|could not|couldn't) (to )?connect to|cannot connect to host",
        r"connect(ion)? ?(error|exception)\b|connecterror|newconnectionerror|connectexception|apiconnectionerror",
        r"fetch failed|failed to fetch|max retries exceeded",
    ),
    beside=MODEL_HOST,
    unless=r"timed? ?out|timeout|name or service not known|enotfound|no such host|certificate|ssl",
    confidence=0.72,
)
"""A connection that failed, without a word that says why."""

_ADDRESS = re.compile(
    r"(?:host='|\('|//|@|\bto (?:host )?|address |^|[\s'(=\[:>])"
    r"(?P<host>localhost|\[?::1?\]?|[a-z][\w-]*(?:\.[\w-]+)*|\d{1,3}(?:\.\d{1,3}){3})"
    r"(?:'?\)?, ?(?:port[ =])?|:| port:? ?)(?P<port>\d{2,5})\b"
)
_CONTAINER = r"docker|\bcontainers?\b|compose|kubernetes|\bk8s\b|\bpods?\b|podman|\bwsl2?\b|\bhelm\b|['\s(]/app/|/usr/src/app|open-?webui|devcontainer"
_OWN_MACHINE = (
    r"listen(s|ing)?( only)? (on|at) '?(127\.0\.0\.1|localhost|\[?::1)|ollama_host[:=]'?(http://)?(127\.0\.0\.1|localhost)"
    r"|(bound|binds|listens) (only )?to (127\.0\.0\.1|localhost|loopback)|127\.0\.0\.1:11434 +0\.0\.0\.0:\*|listen +\d+ +\d+ +127\.0\.0\.1:11434"
)
"""Words of a server that accepts connections from its own machine only."""
_ELSEWHERE = (
    r"(works|fine|reachable|running)[^\n]{0,40} (locally|on (the )?(host|localhost|same machine|server itself))"
    r"|curl (http://)?(localhost|127\.0\.0\.1)[^\n]{0,60}(works|ollama is running|fine)"
    r"|(another|different|remote|second) (machine|computer|host|pc|device|laptop)|\blan\b|local network|same network"
)
"""Words of a client on another machine than its server."""
_GATEWAYS = ("host.docker.internal", "gateway.docker.internal", "host.containers.internal", "host.lima.internal")
_ANY = "0.0.0.0"


def refused(text: Text) -> Finding | None:
    """Why a connection was refused, if one was."""
    found = text.find(_REFUSED) or text.find(_NO_CONNECTION)
    if found is None:
        return None
    host, address = _address(found.lines, text)
    names = {"address": address} if address else {}
    category, confidence, shown = _place(host, text)
    if not category:
        return found._replace(names=names)
    lines = {*found.lines, *(_line_of(text, shown) if shown else ())}
    return Finding(category, tuple(sorted(lines)), names, confidence)


def _place(host: str, text: Text) -> tuple[str, float, str]:
    """What the address says about the server, how surely, and the pattern of the line that shows it. Empty: nothing."""
    if _is_loopback(host):
        if text.has(_CONTAINER):
            return "LOCALHOST_INSIDE_CONTAINER", 0.85, _CONTAINER
        return ("BOUND_TO_LOCALHOST_ONLY", 0.65, _ELSEWHERE) if text.has(_ELSEWHERE) else ("", 0.0, "")
    if text.has(_OWN_MACHINE):
        return "BOUND_TO_LOCALHOST_ONLY", 0.9, _OWN_MACHINE
    if host in _GATEWAYS or _is_bridge(host):
        return "BOUND_TO_LOCALHOST_ONLY", 0.8, ""
    if host == _ANY or (_is_private(host) and text.has(MODEL_HOST)):
        return "BOUND_TO_LOCALHOST_ONLY", 0.65, ""
    if text.has(_ELSEWHERE):
        return "BOUND_TO_LOCALHOST_ONLY", 0.65, _ELSEWHERE
    return "", 0.0, ""


def _address(lines: tuple[Line, ...], text: Text) -> tuple[str, str]:
    """The host and the address in the lines, else in the log. Empty: none."""
    for part in (*(line.text.lower().replace('"', "'") for line in lines), text.folded):
        match = _ADDRESS.search(part)
        if match:
            return match["host"], f"{match['host']}:{match['port']}"
    return "", ""


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith(("127.", "::1", "[::1"))


def _is_bridge(host: str) -> bool:
    """The machine as its containers see it."""
    return bool(re.fullmatch(r"172\.(1[7-9]|2\d|3[01])\.0\.1", host))


def _is_private(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_private
    except ValueError:
        return False


def _line_of(text: Text, pattern: str) -> tuple[Line, ...]:
    match = text.has(pattern)
    return (text.line_at(match.start()),) if match else ()

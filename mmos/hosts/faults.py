"""Turns a host's refusal (status and text) into a typed error that shows who can act."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from mmos.errors import (
    BadRequest,
    HostBusy,
    HostError,
    HostFault,
    HostTimeout,
    HostUnreachable,
    MalformedCall,
    ProtocolFault,
    Repetition,
    StreamCut,
    WindowExceeded,
)
from mmos.hosts.ollama_speech import OLLAMA
from mmos.hosts.speech import LOG, REPEATED, SAME_REQUEST, Speech

_CLIP = 300
_HEARD = 4000
"""What is wrong is said at the beginning; to look through more of a hostile text takes seconds."""

_LOOPBACK = ("localhost", "::1", "127.")
_SENTENCES = ("error", "message", "detail")


@dataclass(frozen=True, slots=True)
class Site:
    """Whom a call was for, as an error names it."""

    host: str
    url: str
    model: str = ""
    speech: Speech = field(default=OLLAMA, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not stand in any text, even where the server says it."""


_STAGES = {
    "connect": (
        "{url} ({host}) did not accept a connection in time.",
        "Is the machine up? A firewall that drops packets looks like this, too.",
    ),
    "first_byte": ("{host} sent nothing of {model} in time.", "It may be loading the model or be busy: see `mmos hosts`."),
    "between_chunks": ("{host} fell silent in the middle of {model}'s answer.", "See `mmos hosts`, and the log of the host."),
    "unload": ("{host} still holds {model}, though it was told to let go.", "Something may be using it: see `mmos hosts`."),
    "total": ("{model} on {host} needed more time than the call was given.", "Allow more time, or ask for less."),
}


_NO_MODEL = (
    ("{model} on {host}", "{host}"),
    ("{model}'s answer", "its answer"),
    (" of {model}", ""),
    (" with {model}", ""),
    (" for {model}", ""),
)


def refused(site: Site, status: int, body: str, headers: Mapping[str, str] | None = None) -> HostError:
    """The error behind an HTTP answer that is not 200."""
    headers = headers or {}
    if 300 <= status < 400:
        return _redirected(site, status, headers.get("Location", ""))
    said, numbers = _unwrap(_hidden(site, body))
    error = _by_text(site, status, said, numbers) or _by_status(site, status, said, numbers)
    if isinstance(error, HostBusy):
        error.retry_after = _retry_after(headers)
    return error


def spoken(site: Site, error: object) -> HostError:
    """The error behind a line `{"error": …}` in a stream that began well."""
    said, numbers = _unwrap(_hidden(site, error if isinstance(error, str) else orjson.dumps({"error": error}).decode()))
    return _by_text(site, 200, said, numbers) or _make(
        HostFault, site, 200, ("{host} broke off while {model} answered: {said}.", LOG), said
    )


def unreachable(site: Site, why: str, detail: str = "") -> HostError:
    """Nobody to talk to; `why` is refused, name, tls or other."""
    local = (urlsplit(site.url).hostname or "").startswith(_LOOPBACK)
    if why == "refused":
        words = ("Nothing listens at {url} ({host}).", site.speech.silent_here if local else site.speech.silent_there)
    elif why == "name":
        words = (
            "The name in {url} ({host}) is not known to this machine.",
            "Check its spelling in orchestration.yaml, or use the address.",
        )
    elif why == "tls":
        words = ("No secure connection to {url} ({host}): {said}.", "Check its certificate, and whether it speaks https at all.")
    else:
        words = ("{url} ({host}) cannot be reached: {said}.", site.speech.away)
    return _make(HostUnreachable, site, None, words, detail)


def timed_out(site: Site, stage: str) -> HostError:
    return _make(HostTimeout, site, None, _STAGES[stage], stage=stage)


def cut(site: Site, why: str) -> HostError:
    """The answer ended before its end; `why` completes the sentence."""
    return _make(StreamCut, site, None, ("The answer of {model} on {host} is not whole: {said}.", "Another try may well succeed."), why)


def garbled(site: Site, why: str) -> HostError:
    """What came is no answer of such a server; `why` completes the sentence and holds nothing of the answer itself."""
    return _make(
        ProtocolFault, site, None, ("{url} ({host}) does not speak as {kind} does: {said}.", "Is another server or a proxy there?"), why
    )


def repeated(site: Site, tokens: int) -> HostError:
    """The answer was the same text over and over, and was ended."""
    return _make(Repetition, site, None, REPEATED, tokens=tokens)


def malformed_call(site: Site, name: str, raw: str) -> HostError:
    words = ("The arguments of the call to `{said}` that {model} on {host} wrote are no JSON object.", "Ask again.")
    return _make(MalformedCall, site, None, words, name, raw=raw)


def _by_text(site: Site, status: int, said: str, numbers: Mapping[str, Any]) -> HostError | None:
    text = " ".join((said[:_HEARD], *(str(numbers[name])[:_HEARD] for name in ("code", "type") if name in numbers)))
    for rule in site.speech.rules:
        if status in rule.statuses and re.search(rule.pattern, text):
            return _make(rule.kind, site, status, (rule.message, rule.next_step), said, **_details(site, rule.kind, said, numbers))
    return None


def _by_status(site: Site, status: int, said: str, numbers: Mapping[str, Any]) -> HostError:
    page = said.lstrip().startswith("<")
    if status in site.speech.statuses:
        kind, message, next_step = site.speech.statuses[status]
        return _make(kind, site, status, (message, next_step), said)
    if page:
        return garbled(site, f"a page came with status {status}, as from a proxy")
    if status < 300:
        return garbled(site, f"status {status} came where 200 is due")
    if status < 500:
        words = ("{host} does not accept the request for {model}: {said}.", SAME_REQUEST)
        return _make(BadRequest, site, status, words, said, **_details(site, BadRequest, said, numbers))
    if not said:
        return _make(HostFault, site, status, ("{host} failed with {model} and does not say why.", "A damaged model file does that. " + LOG))  # fmt: skip
    return _make(HostFault, site, status, ("{host} failed with {model}: {said}.", LOG), said)


def _make(kind: type[HostError], site: Site, status: int | None, words: tuple[str, str], said: str = "", **details: Any) -> HostError:
    tokens, window = details.get("prompt_tokens"), details.get("window")
    names = {
        "host": site.host,
        "url": site.url,
        "model": site.model or "the model",
        "said": _clipped(said),
        "kind": site.speech.kind,
        "credentials": site.speech.credentials.format(host=site.host),
        "numbers": f" ({tokens} tokens into {window})" if tokens and window else "",
    }
    message, next_step = (_sentence(text, site).format_map(names) for text in words)
    return kind(message, host=site.host, model=site.model, status=status, next_step=next_step, **details)


def _sentence(text: str, site: Site) -> str:
    """Questions about the host itself concern no model, so the words do not either."""
    for named, bare in () if site.model else _NO_MODEL:
        text = text.replace(named, bare)
    return text


def _details(site: Site, kind: type[HostError], said: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
    if kind is WindowExceeded:
        told = next(filter(None, (re.search(pattern, said[:_HEARD]) for pattern in site.speech.window_numbers)), None)
        heard = {name: int(value) for name, value in told.groupdict().items() if value} if told else {}
        return {"prompt_tokens": numbers.get("n_prompt_tokens", heard.get("prompt")), "window": numbers.get("n_ctx", heard.get("window"))}
    if kind is MalformedCall:
        raw = re.search(r"raw='(.*)', err=", said, re.DOTALL)
        return {"raw": raw[1] if raw else str(numbers.get("failed_generation", ""))}
    if kind is BadRequest:
        parameter = numbers.get("param")
        return {"verbatim": said, "parameter": parameter if isinstance(parameter, str) else ""}
    return {}


def _unwrap(body: str) -> tuple[str, Mapping[str, Any]]:
    """The sentence inside `{"error": …}`, however often it is wrapped, and the numbers that came beside it."""
    numbers: Mapping[str, Any] = {}
    said: Any = body
    for _ in range(5):
        if isinstance(said, str) and said.lstrip().startswith(("{", "[{")):
            try:
                said = orjson.loads(said)
            except orjson.JSONDecodeError:
                break
        if isinstance(said, list) and len(said) == 1 and isinstance(said[0], dict) and "error" in said[0]:
            said = said[0]
        if not isinstance(said, dict):
            break
        numbers = said
        said = next((said[name] for name in _SENTENCES if said.get(name)), "")
    if isinstance(said, list):
        said = "; ".join(map(_complaint, said))
    return (said if isinstance(said, str) else str(said)).strip(), numbers


def _complaint(entry: Any) -> str:
    """What a server of FastAPI's family says of one field."""
    if not isinstance(entry, dict):
        return str(entry)
    return f"{'.'.join(map(str, entry.get('loc') or ()))}: {entry.get('msg', '')}"


def _hidden(site: Site, text: str) -> str:
    for secret in site.secrets:
        text = text.replace(secret, "***")
    return text


def _redirected(site: Site, status: int, location: str) -> HostError:
    target = urlsplit(location)
    where = f" to {target.scheme}://{target.hostname}" if target.hostname else ""
    return garbled(
        site, f"it sends the call on{where} (status {status}), and MMOS follows nobody to where the configuration does not point"
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, or a date; a date is read by the clock that set it."""
    told = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", told):
        return float(told)
    try:
        left = parsedate_to_datetime(told) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):  # none was told, or one of the two is no date, or has no zone
        return None
    return max(0.0, left.total_seconds())


def _clipped(said: str) -> str:
    line = " ".join(said.split()).rstrip(".")
    return line if len(line) <= _CLIP else line[: _CLIP - 1] + "…"

"""Makes a typed error from the status and the text of a host's error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from shlex import quote
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mmos.diagnosis.knowledge import LOG
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
from mmos.hosts import reading
from mmos.hosts.ollama_speech import OLLAMA
from mmos.hosts.speech import REPEATED, SAME_REQUEST, Speech
from mmos.hosts.veil import Veil
from mmos.messages import clean

_CLIP = 300
MOST = 64 << 10
"""Bytes of an error that MMOS reads. Some servers repeat the whole request in it."""
_MOST_READ = 4000
"""Characters of an error that MMOS searches. The reason is at the beginning, and a hostile text may be long."""

_LOOPBACK = ("localhost", "::1", "127.")
_SENTENCES = ("error", "message", "detail")
_WRAPPINGS = 5
"""A proxy may wrap the error of a server into its own, as text or as an object."""
_LONGEST_WAIT = 86400.0
"""Seconds. MMOS does not believe a longer wait."""
_LEAST_WINDOW = 256
_MOST_COMPLAINTS = 20


@dataclass(frozen=True, slots=True)
class Site:
    """The host and the model of a call, for its errors."""

    host: str
    url: str
    model: str = ""
    speech: Speech = field(default=OLLAMA, repr=False)
    veil: Veil = field(default=Veil(), repr=False)
    """Hides everything that may be a secret, in messages about the host."""
    keys: Veil = field(default=Veil(), repr=False)
    """Hides only certain secrets, in replies."""

    def error(self, kind: type[HostError], message: str, next_step: str = "", **details: Any) -> HostError:
        return kind(message, host=self.host, model=self.model, next_step=next_step, **details)


_TIMEOUTS = {
    "connect": (
        "{url} ({host}) did not accept a connection in time.",
        "Is the machine up? A firewall that drops packets looks like this, too.",
    ),
    "first_byte": ("{host} sent nothing of {model} in time.", "It may be loading the model or be busy: see `mmos hosts`."),
    "between_chunks": ("{host} fell silent in the middle of {model}'s answer.", "See `mmos hosts`, and the log of the host."),
    "unload": ("{host} did not unload {model} in time.", "Something may be using it: see `mmos hosts`."),
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
    """The error of a response whose status is not 200."""
    headers = headers or {}
    if 300 <= status < 400:
        return _redirected(site, status, headers.get("Location", ""))
    return _behind(site, status, _unwrap(body), _retry_after(headers))


def spoken(site: Site, error: object, status: int = 200) -> HostError:
    """The error of a line `{"error": …}` in a stream. `status` is the status that the line names."""
    report = _unwrap(error)
    if status != 200:
        return _behind(site, status, report, None)
    return _by_text(site, status, report) or _make(
        HostFault, site, status, ("{host} broke off while {model} answered: {said}.", LOG), report.text or "it does not say why"
    )


def _behind(site: Site, status: int, report: ServerError, retry_after: float | None) -> HostError:
    said = _by_text(site, status, report)
    error = said or _by_status(site, status, report)
    if isinstance(error, HostBusy):
        error.retry_after, error.full = retry_after, said is not None
    return error


def unreachable(site: Site, why: str, detail: str = "") -> HostError:
    """The error when no connection is possible. `why` is refused, name, tls or other."""
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


def timed_out(site: Site, timeout: str) -> HostError:
    return _make(HostTimeout, site, None, _TIMEOUTS[timeout], stage=timeout)


def cut(site: Site, why: str) -> HostError:
    """The error of a response that is not complete. `why` completes the sentence."""
    return _make(StreamCut, site, None, ("The answer of {model} on {host} is not whole: {said}.", "Another try may well succeed."), why)


def garbled(site: Site, why: str) -> HostError:
    """The error of a response in another format. `why` completes the sentence, and contains nothing of the response."""
    return _make(
        ProtocolFault, site, None, ("{url} ({host}) does not speak as {kind} does: {said}.", "Is another server or a proxy there?"), why
    )


def repeated(site: Site, tokens: int) -> HostError:
    """The error of a reply that repeats itself. `tokens` is its length."""
    return _make(Repetition, site, None, REPEATED, tokens=tokens)


def compressed(site: Site, coding: str) -> HostError | None:
    """The error of a compressed response, if it is compressed. A small one may grow to any size."""
    plain = coding.strip().lower() in ("", "identity")
    return None if plain else garbled(site, "its answer is compressed, and MMOS asks for plain ones")


def malformed_call(site: Site, name: str, raw: str) -> HostError:
    words = ("The arguments of the call to `{said}` that {model} on {host} wrote are no JSON object.", "Ask again.")
    return _make(MalformedCall, site, None, words, name, raw=raw)


class ServerError(NamedTuple):
    """An error in a response."""

    text: str = ""
    """Its text."""
    beside: Mapping[str, Any] = {}
    """The other fields of the error."""
    strange: bool = False
    """Whether it has another format than the errors of such a server."""


def _by_text(site: Site, status: int, report: ServerError) -> HostError | None:
    text = " ".join(
        (
            report.text[:_MOST_READ],
            *(str(report.beside.get(name))[:_MOST_READ] for name in ("code", "type") if _plain(report.beside.get(name))),
        )
    )
    for rule in site.speech.rules:
        if status in rule.statuses and re.search(rule.pattern, text):
            return _make(rule.kind, site, status, (rule.message, rule.next_step), report.text, **_details(site, rule.kind, report))
    return None


def _by_status(site: Site, status: int, report: ServerError) -> HostError:
    if status in site.speech.statuses:
        kind, message, next_step = site.speech.statuses[status]
        return _make(kind, site, status, (message, next_step), report.text)
    if report.text.lstrip().startswith("<"):
        return garbled(site, f"a page came with status {status}, as from a proxy")
    if status < 300:
        return garbled(site, f"status {status} came where 200 is due")
    if status < 500 and report.strange:
        return garbled(site, f"what came with status {status} is no error that such a server writes")
    if status < 500:
        words = ("{host} does not accept the request for {model}: {said}.", SAME_REQUEST)
        return _make(BadRequest, site, status, words, report.text, unexplained=True, **_details(site, BadRequest, report))
    if not report.text:
        return _make(HostFault, site, status, ("{host} failed with {model} and does not say why.", "A damaged model file does that. " + LOG))  # fmt: skip
    return _make(HostFault, site, status, ("{host} failed with {model}: {said}.", LOG), report.text)


def _make(kind: type[HostError], site: Site, status: int | None, words: tuple[str, str], detail: str = "", **details: Any) -> HostError:
    tokens, window = details.get("prompt_tokens"), details.get("window")
    names = {
        "host": site.host,
        "url": site.url,
        "model": site.model or "the model",
        "quoted_model": quote(site.model),
        "said": _clipped(site.veil.over(clean(detail[:_MOST_READ]))),
        "kind": site.speech.kind,
        "credentials": site.speech.credentials.format(host=site.host),
        "numbers": f" ({tokens} tokens into {window})" if tokens and window else "",
    }
    message, next_step = (_sentence(text, site).format_map(names) for text in words)
    return site.error(kind, message, next_step, status=status, **details)


def _sentence(text: str, site: Site) -> str:
    """The text. Without a model, the text does not name one."""
    for part, bare in () if site.model else _NO_MODEL:
        text = text.replace(part, bare)
    return text


def _details(site: Site, kind: type[HostError], report: ServerError) -> dict[str, Any]:
    if kind is WindowExceeded:
        return _window(site, report)
    if kind is MalformedCall:
        _, found, rest = report.text.partition("raw='")
        raw, found, _ = rest.rpartition("', err=") if found else ("", "", "")
        return {"raw": site.keys.over(clean(raw if found else reading.page(report.beside.get("failed_generation"))))}
    if kind is BadRequest:
        return {"verbatim": site.veil.over(clean(report.text[:_MOST_READ])), "parameter": reading.word(report.beside.get("param"))}
    return {}


def _window(site: Site, report: ServerError) -> dict[str, Any]:
    """The tokens of a prompt, and the window that is too small for them. Impossible numbers count as none."""
    text = report.text[:_MOST_READ]
    match = next(filter(None, (re.search(pattern, text) for pattern in site.speech.window_numbers)), None)
    numbers = {name: int(digits) for name, digits in match.groupdict().items() if digits and len(digits) < 12} if match else {}
    prompt = reading.tokens(report.beside.get("n_prompt_tokens", numbers.get("prompt")))
    window = reading.tokens(report.beside.get("n_ctx", numbers.get("window")))
    return {"prompt_tokens": prompt or None, "window": window if window >= _LEAST_WINDOW else None}


def _unwrap(body: object) -> ServerError:
    """The text inside `{"error": …}`, at any depth, and the fields beside it."""
    beside: Mapping[str, Any] = {}
    value: Any = body
    for _ in range(_WRAPPINGS):
        if isinstance(value, str) and value.lstrip().startswith(("{", "[{", "[[")):
            data = reading.parsed_or_none(value)
            if data is None:
                return ServerError(value.strip(), beside, strange=len(value) < MOST)
            value = data
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and "error" in value[0]:
            value = value[0]
        if not isinstance(value, dict):
            break
        beside = value
        value = next((value[name] for name in _SENTENCES if value.get(name)), None)
    if isinstance(value, list):
        complaints = [_complaint(entry) for entry in value[:_MOST_COMPLAINTS]]
        return ServerError("; ".join(filter(None, complaints)), beside, strange=not all(complaints))
    return ServerError(value.strip(), beside) if isinstance(value, str) else ServerError("", beside, strange=True)


def _complaint(entry: Any) -> str:
    """The error of one field in the format of FastAPI. Empty: it has another format."""
    if isinstance(entry, str):
        return entry[:_MOST_READ]
    place, text = (entry.get("loc", []), entry.get("msg")) if isinstance(entry, dict) else (None, None)
    if not isinstance(place, list) or not all(map(_plain, place)) or not isinstance(text, str):
        return ""
    return f"{'.'.join(map(str, place))}: {text}"[:_MOST_READ]


def _plain(value: object) -> bool:
    return isinstance(value, str | int)


def _redirected(site: Site, status: int, location: str) -> HostError:
    try:
        target = urlsplit(location)
        where = f" to {target.scheme}://{target.hostname}" if target.hostname else ""
    except ValueError:
        where = " to an address that is none"
    return garbled(
        site, f"it sends the call on{where} (status {status}), and MMOS follows nobody to where the configuration does not point"
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait, from a number or a date. A date is compared with the date of the same response."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", value):
        return min(float(value), _LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError, OverflowError):  # there is none, or one of the two is no date or has no time zone
        return None
    return min(max(0.0, wait.total_seconds()), _LONGEST_WAIT)


def _clipped(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _CLIP else line[: _CLIP - 1] + "…"

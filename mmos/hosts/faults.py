"""Turns a host's refusal (status and text) into a typed error that shows who can act."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from shlex import quote
from typing import Any, NamedTuple
from urllib.parse import urlsplit

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
from mmos.hosts.speech import LOG, REPEATED, SAME_REQUEST, Speech
from mmos.hosts.veil import Veil
from mmos.messages import clean

_CLIP = 300
MOST = 64 << 10
"""Bytes of a refusal that are read; some servers say the whole request again in it."""
_HEARD = 4000
"""What is wrong is said at the beginning; to look through more of a hostile text takes seconds."""

_LOOPBACK = ("localhost", "::1", "127.")
_SENTENCES = ("error", "message", "detail")
_WRAPPINGS = 5
"""A proxy wraps the error of a server into one of its own, as text or as an object."""
_LONGEST_WAIT = 86400.0
"""Seconds: who asks to be left alone for longer has not understood the question."""
_LEAST_WINDOW = 256
_MOST_COMPLAINTS = 20


@dataclass(frozen=True, slots=True)
class Site:
    """Whom a call was for, as an error names it."""

    host: str
    url: str
    model: str = ""
    speech: Speech = field(default=OLLAMA, repr=False)
    veil: Veil = field(default=Veil(), repr=False)
    """Hides what must not stand in any sentence about the host."""
    keys: Veil = field(default=Veil(), repr=False)
    """Hides those secrets that must not even stand in an answer."""


_TIMEOUTS = {
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
    return _behind(site, status, _unwrap(body), _retry_after(headers))


def spoken(site: Site, error: object, status: int = 200) -> HostError:
    """The error behind a line `{"error": …}` in a stream that began well, or behind the status that it names."""
    told = _unwrap(error)
    if status != 200:
        return _behind(site, status, told, None)
    return _by_text(site, status, told) or _make(
        HostFault, site, status, ("{host} broke off while {model} answered: {said}.", LOG), told.said or "it does not say why"
    )


def _behind(site: Site, status: int, told: Told, retry_after: float | None) -> HostError:
    error = _by_text(site, status, told) or _by_status(site, status, told)
    if isinstance(error, HostBusy):
        error.retry_after = retry_after
    return error


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


def timed_out(site: Site, timeout: str) -> HostError:
    return _make(HostTimeout, site, None, _TIMEOUTS[timeout], stage=timeout)


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


def compressed(site: Site, coding: str) -> HostError | None:
    """Nobody asked for an answer that is compressed: a small one may grow to any size."""
    plain = coding.strip().lower() in ("", "identity")
    return None if plain else garbled(site, "its answer is compressed, and MMOS asks for plain ones")


def malformed_call(site: Site, name: str, raw: str) -> HostError:
    words = ("The arguments of the call to `{said}` that {model} on {host} wrote are no JSON object.", "Ask again.")
    return _make(MalformedCall, site, None, words, name, raw=raw)


class Told(NamedTuple):
    """An error as a server told of it."""

    said: str = ""
    """Its sentence."""
    beside: Mapping[str, Any] = {}
    """The fields that came with it."""
    strange: bool = False
    """It has no form that such a server gives its errors."""


def _by_text(site: Site, status: int, told: Told) -> HostError | None:
    text = " ".join(
        (told.said[:_HEARD], *(str(told.beside.get(name))[:_HEARD] for name in ("code", "type") if _plain(told.beside.get(name))))
    )
    for rule in site.speech.rules:
        if status in rule.statuses and re.search(rule.pattern, text):
            return _make(rule.kind, site, status, (rule.message, rule.next_step), told.said, **_details(site, rule.kind, told))
    return None


def _by_status(site: Site, status: int, told: Told) -> HostError:
    if status in site.speech.statuses:
        kind, message, next_step = site.speech.statuses[status]
        return _make(kind, site, status, (message, next_step), told.said)
    if told.said.lstrip().startswith("<"):
        return garbled(site, f"a page came with status {status}, as from a proxy")
    if status < 300:
        return garbled(site, f"status {status} came where 200 is due")
    if status < 500 and told.strange:
        return garbled(site, f"what came with status {status} is no error that such a server writes")
    if status < 500:
        words = ("{host} does not accept the request for {model}: {said}.", SAME_REQUEST)
        return _make(BadRequest, site, status, words, told.said, unexplained=True, **_details(site, BadRequest, told))
    if not told.said:
        return _make(HostFault, site, status, ("{host} failed with {model} and does not say why.", "A damaged model file does that. " + LOG))  # fmt: skip
    return _make(HostFault, site, status, ("{host} failed with {model}: {said}.", LOG), told.said)


def _make(kind: type[HostError], site: Site, status: int | None, words: tuple[str, str], said: str = "", **details: Any) -> HostError:
    tokens, window = details.get("prompt_tokens"), details.get("window")
    names = {
        "host": site.host,
        "url": site.url,
        "model": site.model or "the model",
        "quoted_model": quote(site.model),
        "said": _clipped(site.veil.over(clean(said[:_HEARD]))),
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


def _details(site: Site, kind: type[HostError], told: Told) -> dict[str, Any]:
    if kind is WindowExceeded:
        return _window(site, told)
    if kind is MalformedCall:
        _, found, rest = told.said.partition("raw='")
        raw, found, _ = rest.rpartition("', err=") if found else ("", "", "")
        return {"raw": site.keys.over(clean(raw if found else reading.page(told.beside.get("failed_generation"))))}
    if kind is BadRequest:
        return {"verbatim": site.veil.over(clean(told.said[:_HEARD])), "parameter": reading.word(told.beside.get("param"))}
    return {}


def _window(site: Site, told: Told) -> dict[str, Any]:
    """The tokens of a prompt, and the window that they do not fit into; a number that cannot be is as good as none."""
    said = told.said[:_HEARD]
    heard = next(filter(None, (re.search(pattern, said) for pattern in site.speech.window_numbers)), None)
    found = {name: int(digits) for name, digits in heard.groupdict().items() if digits and len(digits) < 12} if heard else {}
    prompt = reading.tokens(told.beside.get("n_prompt_tokens", found.get("prompt")))
    window = reading.tokens(told.beside.get("n_ctx", found.get("window")))
    return {"prompt_tokens": prompt or None, "window": window if window >= _LEAST_WINDOW else None}


def _unwrap(body: object) -> Told:
    """The sentence inside `{"error": …}`, however often it is wrapped, and the fields that came beside it."""
    beside: Mapping[str, Any] = {}
    said: Any = body
    for _ in range(_WRAPPINGS):
        if isinstance(said, str) and said.lstrip().startswith(("{", "[{", "[[")):
            read = reading.parsed_or_none(said)
            if read is None:
                return Told(said.strip(), beside, strange=len(said) < MOST)
            said = read
        if isinstance(said, list) and len(said) == 1 and isinstance(said[0], dict) and "error" in said[0]:
            said = said[0]
        if not isinstance(said, dict):
            break
        beside = said
        said = next((said[name] for name in _SENTENCES if said.get(name)), None)
    if isinstance(said, list):
        complaints = [_complaint(entry) for entry in said[:_MOST_COMPLAINTS]]
        return Told("; ".join(filter(None, complaints)), beside, strange=not all(complaints))
    return Told(said.strip(), beside) if isinstance(said, str) else Told("", beside, strange=True)


def _complaint(entry: Any) -> str:
    """What a server of FastAPI's family says of one field; empty where it is something else."""
    if isinstance(entry, str):
        return entry[:_HEARD]
    place, text = (entry.get("loc", []), entry.get("msg")) if isinstance(entry, dict) else (None, None)
    if not isinstance(place, list) or not all(map(_plain, place)) or not isinstance(text, str):
        return ""
    return f"{'.'.join(map(str, place))}: {text}"[:_HEARD]


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
    """Seconds, or a date; a date is read by the clock that set it."""
    told = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", told):
        return min(float(told), _LONGEST_WAIT)
    try:
        left = parsedate_to_datetime(told) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError, OverflowError):  # none was told, or one of the two is no date, or has no zone
        return None
    return min(max(0.0, left.total_seconds()), _LONGEST_WAIT)


def _clipped(said: str) -> str:
    line = " ".join(said.split()).rstrip(".")
    return line if len(line) <= _CLIP else line[: _CLIP - 1] + "…"

"""The way to a host: where its calls go, with which headers, and what of all that is secret."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from yarl import URL

from mmos.errors import UsageError
from mmos.hosts.veil import HIDDEN, SHORTEST, Veil

_CREDENTIAL = re.compile(r"auth|key|token|secret|passw|cookie", re.IGNORECASE)
_COMMON = frozenset({"accept", "accept-encoding", "accept-language", "connection", "content-type", "user-agent"})
_SURE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[^\s:]{16,}")
"""The value of any other header that looks like a key: names of models, of places and the like may stand in answers."""


class Address(str):
    """An address of a host; `hidden` are values of the environment that stand in it."""

    __slots__ = ("hidden",)
    hidden: tuple[str, ...]

    def __new__(cls, text: str, hidden: tuple[str, ...] = ()) -> Address:
        made = super().__new__(cls, text)
        made.hidden = hidden
        return made


@dataclass(frozen=True, slots=True)
class Access:
    """What a connection needs to know, and what nobody may see of it."""

    base: URL = field(repr=False)
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    shown: str
    """The address as people read it."""
    veil: Veil
    """Hides all that may be a secret: for sentences about the host."""
    keys: Veil
    """Hides what certainly is one: for answers, whose words are the model's."""

    @classmethod
    def to(cls, name: str, url: str, headers: Mapping[str, str]) -> Access:
        address = _address(name, url)
        base = address.with_user(None).with_query(None).with_fragment(None)
        path = _hidden_parts(base, url.hidden if isinstance(url, Address) else ())
        signed = {**_authorization(address), **headers}
        private = {header: value for header, value in signed.items() if header.lower() not in _COMMON}
        sure = [*path, *address.query.values(), address.password or address.user or ""]
        sure += [part for header, value in private.items() if _CREDENTIAL.search(header) for part in _parts(value)]
        others = [part for value in private.values() for part in _parts(value)]
        shown = "/".join(HIDDEN if part in path else part for part in str(base).rstrip("/").split("/"))
        veil, keys = Veil([*sure, *others, address.user or ""]), Veil([*sure, *filter(_SURE.fullmatch, others)])
        return cls(base, address.query_string, signed, shown, veil, keys)


def _address(name: str, url: str) -> URL:
    try:
        address = URL(url)
        (address.host or "").encode("idna")  # what resolvers do, and fail at in a way of their own
    except ValueError:
        address = URL()
    if address.scheme not in ("http", "https") or not address.host:
        raise UsageError(f"The url of {name} is no address of a host.", next_step="Write it as http://NAME:11434.")
    return address


def _authorization(address: URL) -> dict[str, str]:
    if address.user is None:
        return {}
    return {"Authorization": "Basic " + b64encode(f"{address.user}:{address.password or ''}".encode()).decode()}


def _parts(value: str) -> Iterable[str]:
    """Of `Bearer KEY` also the key alone, of `Basic …` also the password."""
    scheme, _, key = value.rpartition(" ")
    yield from (value, key)
    if scheme.lower() == "basic":
        try:
            user, _, password = b64decode(key, validate=True).decode(errors="replace").partition(":")
        except binascii.Error:
            return
        yield from (password, f"{user}:{password}")


def _hidden_parts(base: URL, values: tuple[str, ...]) -> list[str]:
    """Parts of the path that the environment has filled in; words as short as `v1` are no secrets where a whole address came from there."""
    given = [value for value in values if value]
    parts = [part for part in base.raw_path.split("/") if part]
    return [
        part for part in parts
        if any(value in part or value in URL.build(path=part, encoded=True).path or (part in value and len(part) >= SHORTEST) for value in given)
    ]  # fmt: skip

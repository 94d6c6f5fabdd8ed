"""Prepares the access to a host: its address, its headers, and which parts of them are secret."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from yarl import URL

from mmos.errors import UsageError
from mmos.hosts.veil import MASK, SHORTEST, Veil

_CREDENTIAL = re.compile(r"auth|key|token|secret|passw|cookie", re.IGNORECASE)
_COMMON = frozenset({"accept", "accept-encoding", "accept-language", "connection", "content-type", "user-agent"})
_SURE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[^\s:]{16,}")
"""A header value that looks like a key. Other values, such as names of models, may be in responses."""


class Address(str):
    """The address of a host. `hidden` has the values of the environment that are in it."""

    __slots__ = ("hidden",)
    hidden: tuple[str, ...]

    def __new__(cls, text: str, hidden: tuple[str, ...] = ()) -> Address:
        instance = super().__new__(cls, text)
        instance.hidden = hidden
        return instance


@dataclass(frozen=True, slots=True)
class Access:
    """What a connection needs, and what nobody may see."""

    base: URL = field(repr=False)
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    shown: str
    """The address without secrets."""
    veil: Veil
    """Hides everything that may be a secret, in messages about the host."""
    keys: Veil
    """Hides only certain secrets, in replies: their words are the model's."""

    @classmethod
    def to(cls, name: str, url: str, headers: Mapping[str, str]) -> Access:
        address = _address(name, url)
        base = address.with_user(None).with_query(None).with_fragment(None)
        path = _secret_parts(base, url.hidden if isinstance(url, Address) else ())
        all_headers = {**_authorization(address), **headers}
        private = {header: value for header, value in all_headers.items() if header.lower() not in _COMMON}
        sure = [*path, *address.query.values(), address.password or address.user or ""]
        sure += [part for header, value in private.items() if _CREDENTIAL.search(header) for part in _parts(value)]
        others = [part for value in private.values() for part in _parts(value)]
        shown = "/".join(MASK if part in path else part for part in str(base).rstrip("/").split("/"))
        veil, keys = Veil([*sure, *others, address.user or ""]), Veil([*sure, *filter(_SURE.fullmatch, others)])
        return cls(base, address.query_string, all_headers, shown, veil, keys)


def _address(name: str, url: str) -> URL:
    try:
        address = URL(url)
        (address.host or "").encode("idna")  # a resolver does this, too, and fails with another error
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
    """The value and its secret parts: the key of `Bearer KEY`, the password of `Basic …`."""
    scheme, _, key = value.rpartition(" ")
    yield from (value, key)
    if scheme.lower() == "basic":
        try:
            user, _, password = b64decode(key, validate=True).decode(errors="replace").partition(":")
        except binascii.Error:
            return
        yield from (password, f"{user}:{password}")


def _secret_parts(base: URL, values: tuple[str, ...]) -> list[str]:
    """Parts of the path that come from the environment. If the whole address comes from there, a part as short as `v1` is no secret."""
    secrets = [value for value in values if value]
    parts = [part for part in base.raw_path.split("/") if part]
    return [
        part for part in parts
        if any(value in part or value in URL.build(path=part, encoded=True).path or (part in value and len(part) >= SHORTEST) for value in secrets)
    ]  # fmt: skip

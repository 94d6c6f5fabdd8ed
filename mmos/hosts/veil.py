"""Hides the keys of a host in the texts of the host, in any encoding."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

MASK = "***"
SHORTEST = 6
"""Characters of the shortest secret. Shorter texts are in many sentences."""
_SHORTEST_CODED = 8
_ESCAPES = "\\%&+"


class Veil:
    """Removes secrets from texts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def __repr__(self) -> str:
        return f"<Veil over {len(self._secrets)}>"

    def over(self, text: str) -> str:
        if not self._secrets:
            return text
        low = text.lower()
        for code in self._codes:
            if code in low:
                text = re.sub(re.escape(code), MASK, text, flags=re.IGNORECASE)
        return self._escaped.sub(MASK, text) if any(sign in text for sign in _ESCAPES) else text

    def over_all(self, tree: Any) -> Any:
        """The data without secrets in any text or name of a field."""
        if not self._secrets:
            return tree
        if isinstance(tree, str):
            return self.over(tree)
        if isinstance(tree, list):
            return [self.over_all(node) for node in tree]
        return {self.over(name): self.over_all(node) for name, node in tree.items()} if isinstance(tree, dict) else tree

    def partial_length(self, text: str) -> int:
        """How many characters at the end of the text may be the beginning of a secret."""
        end = text.casefold()[-self._longest :] if self._secrets else ""
        return next((len(end) - at for at in range(len(end)) if any(folded.startswith(end[at:]) for folded in self._folded)), 0)

    @cached_property
    def _folded(self) -> list[str]:
        return [secret.casefold() for secret in self._secrets]

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._folded)) - 1

    @cached_property
    def _codes(self) -> list[str]:
        """The secrets as they are, in base64 and in hex. The longest first, because one may be a part of another."""
        codes = {code.lower() for secret in self._secrets for code in (secret, *_coded(secret.encode("utf-8", "replace")))}
        return sorted(codes, key=len, reverse=True)

    @cached_property
    def _escaped(self) -> re.Pattern[str]:
        """Finds the secrets with escaped characters, as JSON, URLs and HTML write them. The lookahead skips most places."""
        firsts = "".join({re.escape(sign) for secret in self._secrets for sign in secret[0]} | {re.escape(sign) for sign in _ESCAPES})
        spellings = "|".join("".join(map(_sign, secret)) for secret in self._secrets)
        return re.compile(f"(?=[{firsts}])(?:{spellings})", re.IGNORECASE)


def _sign(sign: str) -> str:
    """One character of a secret in all its forms. Backslashes may be doubled."""
    code, units = ord(sign), sign.encode("utf-16-be", "surrogatepass")
    as_json = "".join(rf"\\{{1,8}}u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    as_address = "".join(f"%{byte:02x}" for byte in sign.encode("utf-8", "replace"))
    forms = [re.escape(sign), as_json, as_address, f"&\\#0{{0,8}}{code};", f"&\\#x0{{0,8}}{code:x};", re.escape(html.escape(sign))]
    if not sign.isalnum():
        forms += [rf"\\{{1,8}}{re.escape(sign)}", *([r"\+"] if sign == " " else [])]
    return f"(?:{'|'.join(forms)})"


def _coded(secret: bytes) -> Iterator[str]:
    """The secret in base64 inside a longer text: the characters that depend on the secret only, for each of three offsets; and in hex."""
    for shift, first in ((0, 0), (1, 2), (2, 3)):
        code = b64encode(bytes(shift) + secret).decode()[first : (shift + len(secret)) * 8 // 6]
        if len(code) >= _SHORTEST_CODED:
            yield code
            yield code.replace("+", "-").replace("/", "_")
    yield secret.hex()

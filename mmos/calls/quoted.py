"""Reads strings as models write them: with any quotes and escapes, and sometimes without a clear closing quote."""

from __future__ import annotations

import re

from mmos.calls.patience import Misread, Patience

PAIRS = {
    '"': '"', "'": "'", "`": "`", "“": "”", "”": "”", "„": "“", "‘": "’", "’": "’", "«": "»",
}  # fmt: skip
LONG_PAIRS = ('<|"|>', "<escape>", "<|'|>", '"""', "'''")
"""Quotes of several characters, from two model families and from Python."""

LONGEST = 100_000
"""Characters that are searched for an unclear closing quote."""
LONGEST_TORN = 4000
"""A longer text without a closing quote keeps the brackets after it."""
ESCAPES_A_STEP = 4

_PLAIN = {
    '"': re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*+(?:\\.[^'\\]*+)*+)'", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_AFTER = re.compile(r"\s{0,1000}+(?:[)}\]:;]|=|$|//|#|\|>|</|```|[\"'“][^\"'“”\n]{1,60}[\"'”]\s*:)")
_NEXT = re.compile(
    r"\s{0,1000}+,\s{0,1000}+(?:[\"'“‘`\[{(<)}\]]|-?\d|$|//|#|(?:true|false|null|none)\b|\*\*|[A-Za-z_][\w.\\]{0,200}+\s{0,1000}+[=:(])",
    re.IGNORECASE,
)
_TAIL = re.compile(r"(?<![\s)}\]])[\s)}\]]++\Z")


def opening(text: str, at: int) -> tuple[str, str] | None:
    """The quote at this place, and the quote that closes it."""
    sign = text[at : at + 1]
    if sign not in "\"'<`“”„‘’«" or not sign:
        return None
    for long in LONG_PAIRS:
        if text.startswith(long, at):
            return long, long
    return (sign, PAIRS[sign]) if sign in PAIRS else None


def unescaped(raw: str) -> str:
    """The text without escapes. An unknown escape is the character after the backslash, as in Markdown."""
    if "\\" not in raw:
        return raw

    def sign(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "ux" and len(code) > 1:
            return chr(int(code[1:], 16))
        return _LETTERS.get(code, code)

    return _ESCAPE.sub(sign, raw).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def strict(text: str, at: int, limit: int, patience: Patience) -> tuple[str, int]:
    """The text from this quote to the first closing quote, and its end."""
    pair = opening(text, at)
    if pair is None:
        raise Misread("no quote")
    start = at + len(pair[0])
    plain = _PLAIN.get(pair[0])
    found = plain.match(text, at, limit) if plain else None
    end = found.end() - 1 if found else -1 if plain else text.find(pair[1], start, limit)
    patience.scan((limit if end < 0 else end) - at)
    if end < 0:
        raise Misread("never closed")
    raw = text[start:end]
    patience.spend(raw.count("\\") // ESCAPES_A_STEP)
    return (raw if len(pair[0]) > 3 or ord(pair[0][0]) > 127 else unescaped(raw)), end + len(pair[1])


def lenient(text: str, at: int, limit: int, patience: Patience) -> tuple[str, int, bool]:
    """The same for a text with quotes inside: a quote closes it only if a value can end there. Also whether it is closed."""
    pair = opening(text, at)
    if pair is None:
        raise Misread("no quote")
    start, close = at + len(pair[0]), pair[1]
    limit = min(limit, start + LONGEST)
    closers = {close, *('”“"' if pair[0] in '“”„"' else ()), *("’'" if pair[0] in "‘’" else ())}
    place = start
    signs = re.compile("|".join(map(re.escape, sorted(closers, key=len, reverse=True))) + r"|\\.", re.DOTALL)
    while found := signs.search(text, place, limit):
        patience.scan(found.end() - place)
        place = found.end()
        if found[0][0] != "\\" and (_AFTER.match(text, place) or _NEXT.match(text, place)):
            return unescaped(text[start : found.start()]), place, True
    patience.scan(limit - place)
    tail = _TAIL.search(text, start, limit) if limit - start < LONGEST_TORN else None
    if tail is None or not tail[0].strip():
        return unescaped(text[start:limit]), limit, False
    return unescaped(text[start : tail.start()].rstrip()), tail.start(), True

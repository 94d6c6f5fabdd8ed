"""Puts texts of others between lines that they cannot close. So no model takes them for words of the user or of MMOS."""

from __future__ import annotations

import re
from collections.abc import Iterable
from unicodedata import normalize

LEAST = 3

_RUN = re.compile(r"<{3,}|>{3,}|`{3,}|~{3,}")
_LINE = re.compile(r"^(<{3,}|>{3,}|`{3,}|~{3,})(?=[ \t\w]*$)", re.MULTILINE)
"""A line of a template that begins or ends a quoted text."""
_UNSEEN = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")  # fmt: skip
_ALIKE = str.maketrans(
    "аеорсухіјѕԁһкмтнвАВЕКМНОРСТУХІЈЅοαρνικτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‹›❮❯〈〉⟨⟩",
    "aeopcyxijsdhkmthbABEKMHOPCTYXIJSoapviktABEZHIKMNOPTYX<><><><>",
)
"""Letters of other scripts that look like Latin ones, and brackets that look like those of a fence."""
_BREAKS = re.compile(r"[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_RESULT = r"result[ \t]+of[ \t]+\S{1,100}[ \t]*:"
_AS_RESULT = re.compile(rf"^[^\w\n]*+{_RESULT}", re.IGNORECASE | re.MULTILINE)
_POSES = re.compile(
    rf"^[^\w\n\[]*+(?:\[[^\w\n]*+(?:the[ \t]+(?:whole[ \t]+)?(?:result|response)[ \t]+has|your[ \t]+call[ \t]+could)\b"
    rf"|[^\w\n]*+(?:{_RESULT}|the[ \t]+user\b[^\w\n]{{0,3}}s?[ \t]*(?:says?|said|wrote|own[ \t]+words)\b|what[ \t].{{0,60}}[ \t]asks[ \t]+of[ \t]+you\b))",
    re.IGNORECASE | re.MULTILINE,
)
"""The words with which MMOS introduces words of the user, results of tools, and notes about a call."""


class Fenced(str):
    """A text between lines of its own."""

    __slots__ = ()


def visible(text: str) -> str:
    """The text without invisible characters, and with the usual form of each letter."""
    if text.isascii():
        return text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return normalize("NFKC", _UNSEEN.sub("", whole))


def plain(text: str) -> str:
    """The text as it looks, for comparisons: without invisible characters, and with one spelling for characters that look alike."""
    return text if text.isascii() else visible(text).translate(_ALIKE)


def fence(text: str) -> str:
    """A code fence that nothing in the text closes."""
    return "`" * _longer([text], "`")


def fenced(text: str) -> Fenced:
    """The text between `<<<` and `>>>`, with as many signs as it takes."""
    length = _longer([text], "<>")
    return Fenced(f"{'<' * length}\n{text}\n{'>' * length}")


def widened(template: str, values: Iterable[str]) -> str:
    """A template whose fences are longer than any in the values that are put into it."""
    risky = [value for value in values if not isinstance(value, Fenced) and _has_run(plain(value))]
    if not risky or not _LINE.search(template):
        return template
    lengths = {sign: _longer(risky, kind) for kind in ("<>", "`", "~") for sign in kind}
    return _LINE.sub(lambda line: line[0][0] * max(len(line[0]), lengths[line[0][0]]), template)


def poses(text: str) -> bool:
    """Whether a line of the text begins like words of MMOS or of the user."""
    return _POSES.search(_BREAKS.sub("\n", plain(text))) is not None


def poses_as_result(text: str) -> bool:
    return _AS_RESULT.search(_BREAKS.sub("\n", plain(text))) is not None


def apart(text: str) -> str:
    """The text of a tool. If it poses as something more, it stands between lines of its own."""
    return f"[The tool gave the text between these lines:]\n{fenced(text)}" if poses(text) else text


def one_line(text: str) -> str:
    return " ".join(text.split())


def _has_run(text: str) -> bool:
    """The same as a search for `_RUN`. Nearly all texts have none, and this finds that out much sooner."""
    return "<<<" in text or ">>>" in text or "```" in text or "~~~" in text


def _longer(texts: Iterable[str], signs: str) -> int:
    runs = (len(run) for text in texts for run in _RUN.findall(plain(text)) if run[0] in signs)
    return max(LEAST, max(runs, default=0) + 1)

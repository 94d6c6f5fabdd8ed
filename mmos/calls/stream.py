"""Reads a reply while it streams: passes on plain text at once, and holds back text that may become a call."""

from __future__ import annotations

import re
from collections.abc import Callable

from mmos.calls.marks import CLOSE, OPEN, THOUGHT_CLOSE, THOUGHT_OPEN, WRAPPING, thoughts
from mmos.calls.naming import Names
from mmos.calls.prose import CALL_TONGUES, CALLED, SHAPED
from mmos.calls.tagged import HEADLESS
from mmos.calls.text import Heard, read_text

MOST_CHECKS = 64
"""How often a held text is read anew; a text that needs more waits for its end."""
LONGEST_CHECKED = 50_000
LONGEST_TAG = 120
MOST_PIECES = 10_000
"""Of how many pieces it is remembered whether they are plain text: a model's vocabulary is finite."""

_SUSPECT = re.compile(
    r"[<\[{◁]|`{3}|`{1,2}\Z|~{3}|\bto=|\bfunctools|</s>|>{1,3}|\](?=<|\Z)|(?<!\S)\"(?=[ntf]|\Z)|\bfunction(?=<)|\b(?:assistant)?commentary\b"
)
_WORDS = ("functools", "function", "commentary", "assistantcommentary")
"""Words with which the signs of some families begin."""
_MINIMAX = "]<]minimax[>["
_OPENER = re.compile(r'[ \t\r\n`*>\-_."]*+(?:\d{1,3}[.):]?)?[ \t\r\n`*>\-_."]*+\Z')
"""What may stand before the first word, the number of an item with it: alone it says nothing yet. A longer number is an answer."""
_BEGUN_NAME = re.compile(r"\w*[`*]{0,2}\s?(?:[-=]>?|:)?\s?(?:\n\s*[*`]*(?:[AITP][A-Za-z _]{0,15})?[*`]*:?\s*)?")
_BEGUN_TAG = re.compile(rf"<<?[|｜/]?[^<>\n]{{0,{LONGEST_TAG}}}\Z|<<function>\Z")
_BEGUN_CHANNEL = re.compile(r"<\|(?:channel|start)\|>[^\n]{0,120}\Z")
_MARKS = (OPEN, CLOSE, WRAPPING, THOUGHT_OPEN, THOUGHT_CLOSE)
_OPENING = re.compile(r"[\s\[{(\\\"'“”`‘’]*[\w.\\ -]{0,60}[\"'”’`\s]*\Z")
_FENCE = re.compile(r"(?:`{3,}|~{3,})[ \t]*([\w+.-]*)[ \t]*(?:\n\s*)?")
_WORD = re.compile(r"(?<![\w.])([\w.\\/:-]+)\s?\Z")
_CLOSES = ("}", ")", ">", "]", "`", "\n")


class TextStream:
    """Pieces in, pieces of the answer's text out; the whole reading settles what was held."""

    def __init__(self, tell: Callable[[str], None], names: Names) -> None:
        self._tell = tell
        self._names = names
        self._text = ""
        self._place = 0
        self._passed = ""
        self._holding = False
        self._checks = 0
        self._spans = False
        self._plain = names.plain_pieces

    def feed(self, piece: str) -> None:
        if self._is_plain(piece):
            self._text += piece
            self._place = len(self._text)
            self._passed += piece
            self._tell(piece)
            return
        self._text += piece
        if self._holding and not self._checked(piece):
            return
        self._scan()

    def rest(self, content: str) -> str:
        """What of the whole reading's content was not passed on yet."""
        return content[len(self._passed) :] if content.startswith(self._passed) else ""

    def _is_plain(self, piece: str) -> bool:
        """Most pieces are a word of plain text: nothing is held, it stands apart from what came before, and begins no call."""
        if self._holding or self._spans or self._place != len(self._text) or (not self._passed and _is_opener(piece)):
            return False
        if self._text and not (piece[:1].isspace() or self._text[-1].isspace()):
            return False
        known = self._plain.get(piece)
        if known is None:
            if len(self._plain) >= MOST_PIECES:
                self._plain.clear()
            word = _WORD.search(piece)
            known = self._plain[piece] = not (self._opens(word) or _SUSPECT.search(piece) or self._names.mention.search(piece))
        return known

    def _scan(self) -> None:
        """Pass on everything up to the first place where a call may begin."""
        while True:
            at, sure = self._suspicion()
            self._pass_to(at)
            self._holding = sure
            if not sure or not self._checked(self._text[at:]):
                return

    def _suspicion(self) -> tuple[int, bool]:
        """The first place that is no longer plain text, and whether a call or a tag has begun there for certain."""
        text = self._text
        for at in self._places():
            verdict = self._verdict(at)
            if verdict is not None:
                return at, verdict
        word = _WORD.search(text, max(self._place, len(text) - LONGEST_TAG))
        return (word.start() if word and self._opens(word) else len(text)), False

    def _opens(self, word: re.Match[str] | None) -> bool:
        """Whether the last word may be the beginning of a call."""
        return word is not None and (self._names.begins(word[1]) or any(mark.startswith(word[1]) for mark in _WORDS))

    def _places(self) -> list[int]:
        text = self._text
        found = [one.start() for one in _SUSPECT.finditer(text, self._place)]
        return sorted([*found, *(one.start() for one in self._names.mention.finditer(text, self._place))])

    def _verdict(self, at: int) -> bool | None:
        """True: it has begun; False: nobody knows yet; None: it is plain text."""
        sign = self._text[at]
        if sign in "<◁":
            return self._tag(at)
        if sign in "[{":
            return True if any(mark.match(self._text, at) for mark in _MARKS) else self._bracket(at)
        if sign in "`~":
            return self._fence(at)
        if OPEN.match(self._text, at):
            return True
        if sign in '>"]':
            return self._sign(at)
        named = self._names.mention.match(self._text, at)
        if named is None:
            return False if len(self._text) - at < LONGEST_TAG else None
        return self._named(named.end())

    def _sign(self, at: int) -> bool | None:
        """Signs that begin a call in one family each, and mostly nothing."""
        rest = self._text[at : at + LONGEST_TAG]
        if rest[0] == "]":
            return True if rest.startswith(_MINIMAX) else False if _MINIMAX.startswith(rest) else None
        if rest[0] == ">":
            return False if re.fullmatch(r">{1,3}[\w.]{0,100}\s*", rest) else None
        if self._text[:at].strip():
            return None
        return True if HEADLESS.match(rest) else False if re.fullmatch(r'"\w{0,13}"?\s*:?\s*(?:"[\w.:/-]*"?\s*)?', rest) else None

    def _tag(self, at: int) -> bool | None:
        if any(mark.match(self._text, at) for mark in _MARKS) or self._text.startswith("</s>", at):
            return True
        if (named := self._names.mention.match(self._text, at + 1)) and self._text[named.end() : named.end() + 1] == ">":
            return True
        return False if _BEGUN_TAG.match(self._text, at) or _BEGUN_CHANNEL.match(self._text, at) else None

    def _bracket(self, at: int) -> bool | None:
        if SHAPED.match(self._text, at):
            return True
        start = at + len(self._text[at : at + 40]) - len(self._text[at : at + 40].lstrip(" \n\t[{(\"'“”`‘’"))
        if named := self._names.mention.match(self._text, start):
            return named.end() < len(self._text)
        return False if _OPENING.match(self._text, at) else None

    def _fence(self, at: int) -> bool | None:
        """A fence is judged by its tongue and its first line."""
        fence = _FENCE.match(self._text, at)
        if fence is None or fence.end() == len(self._text):
            return False
        if fence[1].lower() in CALL_TONGUES or self._text[fence.end()] in "#/":
            return True
        if self._text[fence.end()] in "[{":
            return self._bracket(fence.end())
        line, ended, _ = self._text[fence.end() : fence.end() + LONGEST_TAG].partition("\n")
        if self._names.mention.search(line):
            return True
        return None if ended or len(line) == LONGEST_TAG else False

    def _named(self, end: int) -> bool | None:
        rest = self._text[end : end + 40]
        if CALLED.match(rest):
            return True
        return False if _BEGUN_NAME.fullmatch(rest) and len(rest) < 40 else None

    def _checked(self, piece: str) -> bool:
        """Whether what is held turned out to be no call: then it is passed on."""
        if self._checks >= MOST_CHECKS or len(self._text) > LONGEST_CHECKED or not any(sign in piece for sign in _CLOSES):
            return False
        self._checks += 1
        if thoughts(self._text).open:
            return False
        read = read_text(Heard(self._text, self._names))
        if read.calls or read.unclear or not read.content.startswith(self._passed) or self._pending(self._text[self._place :]):
            return False
        self._place = len(self._text)
        self._say(read.content[len(self._passed) :])
        self._spans = True
        self._holding = False
        return True

    def _pass_to(self, at: int) -> None:
        if at > self._place and (self._passed or not _is_opener(self._text[:at])):  # thinking may follow on blanks, and take them along
            piece = self._text[self._place : at]
            self._place = at
            self._say(piece)

    def _say(self, piece: str) -> None:
        if self._spans and not self._passed:
            piece = piece.lstrip()  # what follows thinking begins with its first word
        if piece:
            self._passed += piece
            self._tell(piece)

    def _pending(self, held: str) -> bool:
        """Whether the held text ends in the middle of a fence, an object or a tag: more of it decides."""
        own = self._names.mention.match(held, 1)
        if own and held[0] == "<" and f"</{own[0]}>" not in held:
            return True
        if self._names.mention.match(held) and "{" not in held and "(" not in held:
            return True  # `Action Input:` stands between a name and its arguments
        unclosed = held.count("{") > held.count("}") or held.count("[") > held.count("]") or held.count("(") > held.count(")")
        channel = held.rfind("<|channel|>") > held.rfind("<|message|>") or held.rfind("<|open|>") > held.rfind("<|sep|>")
        begun = max((found.end() for found in THOUGHT_OPEN.finditer(held)), default=0)
        thinking = begun and not THOUGHT_CLOSE.search(held, begun)
        return bool(thinking) or unclosed or channel or held.count("```") % 2 == 1 or _BEGUN_TAG.search(held) is not None


def _is_opener(text: str) -> bool:
    return len(text) <= LONGEST_TAG and _OPENER.match(text) is not None

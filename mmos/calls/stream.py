"""Reads a reply while it streams: passes on plain text at once, and holds back text that may become a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from heapq import merge

from mmos.calls.marks import CLOSE, OPEN, THOUGHT_CLOSE, THOUGHT_OPEN, WRAPPING, thoughts
from mmos.calls.naming import Names
from mmos.calls.patience import Patience
from mmos.calls.prose import CALL_START, CALL_TONGUES, OBJECT_START
from mmos.calls.tagged import HEADLESS
from mmos.calls.text import RawReply, read_text

LONGEST_CHECKED = 50_000
"""A longer suspect text waits for its end. A shorter one is read again when it may be no call."""
CHECK_LENGTH = 10_000
CHECK_FACTOR = 4
"""The checks together read at most this many characters, and so many times the text. A longer text has fewer checks."""
CHECKS_WORTH = 640_000
"""The checks may take as much work as the reading of a text with so many characters."""
LONGEST_TAG = 120
LONGEST_UNDECIDED = 400
"""An unclear text of more characters waits for a check, or for the end."""
MOST_PIECES = 10_000
"""Pieces that are remembered as plain text. A model's vocabulary is finite."""
LONGEST_PIECE = 60
SCANS = 2048
"""A text is scanned again when it has grown by one part in so many: a short one after every piece, one of a megabyte after 500 characters."""
MOST_LOOKS = 30_000
LENGTH_A_LOOK = 32
"""Places of a stream that may look like a call and be none. After that, all text waits for the end."""

_SUSPECT = re.compile(
    r"[<\[{◁]|`{3}|`{1,2}\Z|~{3}|\bto=|\bfunctools|</s>|>{1,3}|\](?=<|\Z)|(?<!\S)\"(?=[ntf]|\Z)|\bfunction(?=<)|\b(?:assistant)?commentary\b"
)
_WORDS = ("functools", "function", "commentary", "assistantcommentary")
"""The first words of the tags of some model families."""
_MINIMAX = "]<]minimax[>["
_OPENER = re.compile(r'[ \t\r\n`*>\-_."]*+(?:\d{1,3}[.):]?)?[ \t\r\n`*>\-_."]*+\Z')
"""What may be before the first word, also the number of an item. A longer number is an answer."""
_PARTIAL_NAME = re.compile(r"\w*+[`*]{0,2}\s?(?:[-=]>?|:)?\s?(?:\n\s*+[*`]*+(?:[AITP][A-Za-z _]{0,15})?[*`]*+:?\s*+)?")
_PARTIAL_TAG = re.compile(rf"<<?[|｜/]?[^<>\n]{{0,{LONGEST_TAG}}}\Z|<<function>\Z")
_PARTIAL_CHANNEL = re.compile(r"<\|(?:channel|start)\|>[^\n]{0,120}\Z")
_MARKS = (OPEN, CLOSE, WRAPPING, THOUGHT_OPEN, THOUGHT_CLOSE)
_OPENING = re.compile(r"[\s\[{(\\\"'“”`‘’]*+[\w.\\ -]{0,60}+[\"'”’`\s]*+\Z")
_FENCE = re.compile(r"(?:`{3,}+|~{3,}+)[ \t]*+([\w+.-]*+)[ \t]*+(?:\n\s*+)?")
_WORD_BACKWARDS = re.compile(r"\s?([\w.\\/:-]++)")
_JOINT = re.compile(r"[\\/:-]")
_CLOSES = ("}", ")", ">", "]", "`", "\n")


class TextStream:
    """Takes pieces of a reply and passes on pieces of its text. Suspect text waits until the reply is complete."""

    def __init__(self, tell: Callable[[str], None], names: Names) -> None:
        self._tell = tell
        self._names = names
        self._pieces: list[str] = []
        self._length = 0
        self._text = ""
        """The end of the text that was passed on, and all text after it. Empty while text is held back."""
        self._place = 0
        """The place in it up to which the text was passed on."""
        self._unseen: list[str] = []
        self._unseen_length = 0
        self._decided = 0
        """The place in the whole text up to which it was passed on or left out."""
        self._sent: list[str] = []
        self._solid = False
        """Whether anything but spaces was passed on."""
        self._holding = False
        self._checked_length = 0
        self._patience = Patience(CHECKS_WORTH)
        self._looks = 0
        self._spans = False
        self._plain = names.plain_pieces

    def feed(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)
        if self._holding:
            if self._checked(piece):
                self._scan()
            return
        if self._is_plain(piece):
            self._text, self._place = piece, len(piece)
            self._decided = self._length
            self._say(piece)
            return
        self._unseen.append(piece)
        self._unseen_length += len(piece)
        if self._unseen_length * SCANS >= self._length:
            self._text += "".join(self._unseen)
            self._unseen, self._unseen_length = [], 0
            self._scan()

    def rest(self, content: str) -> str:
        """The part of the complete content that was not passed on yet."""
        sent = "".join(self._sent)
        return content[len(sent) :] if content.startswith(sent) else ""

    def _is_plain(self, piece: str) -> bool:
        """Whether a piece is a word of plain text, as most pieces are: separate from the text before it, and no beginning of a call."""
        text = self._text
        if self._spans or self._unseen or self._place != len(text) or not 0 < len(piece) <= LONGEST_PIECE:
            return False
        if text and not (piece[0].isspace() or text[-1].isspace()):
            return False
        if not self._sent and _is_opener(piece):
            return False
        known = self._plain.get(piece)
        if known is None:
            if len(self._plain) >= MOST_PIECES:
                self._plain.clear()
            known = self._plain[piece] = not (
                self._opens(_last_word(piece, 0)[1]) or _SUSPECT.search(piece) or self._names.mention.search(piece)
            )
        return known

    def _scan(self) -> None:
        """Pass on the text up to the first place where a call may begin."""
        while True:
            at, sure = self._suspicion()
            suspect = self._text[at:]
            self._pass_to(at)
            self._holding = sure
            if not sure or not self._checked(suspect):
                return

    def _suspicion(self) -> tuple[int, bool]:
        """The first place that may be no plain text, and whether a call or a tag certainly begins there."""
        text = self._text
        for at in self._places():
            self._looks += 1
            verdict = self._verdict(at)
            if verdict is not None:
                return at, verdict or len(text) - at > LONGEST_UNDECIDED or self._tired
        start, word = _last_word(text, max(self._place, len(text) - LONGEST_TAG))
        return (start if self._opens(word) else len(text)), False

    @property
    def _tired(self) -> bool:
        return self._looks > MOST_LOOKS + self._length // LENGTH_A_LOOK

    def _opens(self, word: str) -> bool:
        """Whether a call may begin with the last word."""
        return bool(word) and (self._names.begins(word) or any(mark.startswith(word) for mark in _WORDS))

    def _places(self) -> Iterator[int]:
        signs = (one.start() for one in _SUSPECT.finditer(self._text, self._place))
        mention = (one.start() for one in self._names.mention.finditer(self._text, self._place))
        return merge(signs, mention)

    def _verdict(self, at: int) -> bool | None:
        """True: a call begins here. False: this is not clear yet. None: it is plain text."""
        if self._tired:
            return True
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
        mention = self._names.mention.match(self._text, at)
        if mention is None:
            return False if len(self._text) - at < LONGEST_TAG else None
        return self._named(mention.end())

    def _sign(self, at: int) -> bool | None:
        """Signs that begin a call in one model family, and usually nothing."""
        rest = self._text[at : at + LONGEST_TAG]
        if rest[0] == "]":
            return True if rest.startswith(_MINIMAX) else False if _MINIMAX.startswith(rest) else None
        if rest[0] == ">":
            return False if re.fullmatch(r">{1,3}[\w.]{0,100}\s*", rest) else None
        if self._solid or self._text[:at].strip():
            return None
        return True if HEADLESS.match(rest) else False if re.fullmatch(r'"\w{0,13}"?\s*:?\s*(?:"[\w.:/-]*"?\s*)?', rest) else None

    def _tag(self, at: int) -> bool | None:
        if any(mark.match(self._text, at) for mark in _MARKS) or self._text.startswith("</s>", at):
            return True
        if (mention := self._names.mention.match(self._text, at + 1)) and self._text[mention.end() : mention.end() + 1] == ">":
            return True
        return False if _PARTIAL_TAG.match(self._text, at) or _PARTIAL_CHANNEL.match(self._text, at) else None

    def _bracket(self, at: int) -> bool | None:
        if OBJECT_START.match(self._text, at):
            return True
        start = at + len(self._text[at : at + 40]) - len(self._text[at : at + 40].lstrip(" \n\t[{(\"'“”`‘’"))
        if mention := self._names.mention.match(self._text, start):
            return mention.end() < len(self._text)
        return False if _OPENING.match(self._text, at) else None

    def _fence(self, at: int) -> bool | None:
        """Decide about a fence by its language and its first line."""
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
        if CALL_START.match(rest):
            return True
        return False if _PARTIAL_NAME.fullmatch(rest) and len(rest) < 40 else None

    def _checked(self, piece: str) -> bool:
        """Check whether the suspect text is no call. If so, pass it on."""
        length = self._length
        if self._checked_length + length > CHECK_LENGTH + CHECK_FACTOR * length or length > LONGEST_CHECKED:
            return False
        if not any(sign in piece for sign in _CLOSES) or self._tired or self._patience.gone:
            return False
        self._checked_length += length
        text = "".join(self._pieces)
        if thoughts(text).open:
            return False
        sent = "".join(self._sent)
        result = read_text(RawReply(text, self._names), self._patience)
        suspect = text[self._decided :]
        if result.calls or result.unclear or not result.content.startswith(sent) or self._pending(suspect):
            return False
        self._text = text[-LONGEST_TAG:]
        self._place = len(self._text)
        self._decided = len(text)
        self._say(result.content[len(sent) :])
        self._spans = True
        self._holding = False
        return True

    def _pass_to(self, at: int) -> None:
        if at > self._place and (self._sent or not _is_opener(self._text[:at])):  # thinking may follow after spaces, and drop them
            piece = self._text[self._place : at]
            self._decided += len(piece)
            cut = max(0, at - LONGEST_TAG)
            self._text, self._place = self._text[cut:], at - cut
            self._say(piece)

    def _say(self, piece: str) -> None:
        if self._spans and not self._sent:
            piece = piece.lstrip()  # the text after thinking begins with its first word
        if piece:
            self._sent.append(piece)
            if not self._solid:
                self._solid = not piece.isspace()
            self._tell(piece)

    def _pending(self, text: str) -> bool:
        """Whether the text ends in the middle of a fence, an object or a tag, so that more text must decide."""
        own = self._names.mention.match(text, 1)
        if own and text[0] == "<" and f"</{own[0]}>" not in text:
            return True
        if self._names.mention.match(text) and "{" not in text and "(" not in text:
            return True  # `Action Input:` is between a name and its arguments
        unclosed = text.count("{") > text.count("}") or text.count("[") > text.count("]") or text.count("(") > text.count(")")
        channel = text.rfind("<|channel|>") > text.rfind("<|message|>") or text.rfind("<|open|>") > text.rfind("<|sep|>")
        thinking_start = max((found.end() for found in THOUGHT_OPEN.finditer(text)), default=0)
        thinking = thinking_start and not THOUGHT_CLOSE.search(text, thinking_start)
        return bool(thinking) or unclosed or channel or text.count("```") % 2 == 1 or _PARTIAL_TAG.search(text) is not None


def _is_opener(text: str) -> bool:
    return len(text) <= LONGEST_TAG and _OPENER.match(text) is not None


def _last_word(text: str, place: int) -> tuple[int, str]:
    """The start of the last word, and the word. Empty: the text does not end with a word."""
    found = _WORD_BACKWARDS.match(text[place:][::-1])
    if found is None:
        return len(text), ""
    start = len(text) - found.end()
    if start == place and place and (text[place - 1].isalnum() or text[place - 1] in "_."):
        joint = _JOINT.search(text, start)  # the word begins before this place; after a joint there may be another word
        start = joint.end() if joint else len(text)
    return start, text[start:].rstrip()

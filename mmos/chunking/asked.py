"""Finds in a long task what the user wants, apart from the text that it is about, and which way of reading suits that."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmos.choice.classifier import classify
from mmos.choice.lexicon import words_of
from mmos.chunk_events import Way
from mmos.fences import one_line
from mmos.messages import Message
from mmos.prompting.budget import estimate

LONGEST_REQUEST = 1_200
"""Characters. A longer paragraph at an end of a text belongs to the text."""
LONGEST_LINE = 400
BESIDE = 0.25
"""The share of a window that words beside files may have. Longer ones are a text like the files."""

_REWRITING = words_of(
    "translate rewrite rephrase paraphrase proofread correct convert transform reformat format anonymize anonymise redact modernize modernise"
    " simplify reword transcribe port edit polish übersetze übersetz korrigiere überarbeite formuliere traduis traduisez traduire corrige corrigez"
    " réécris reformule traduce traduzca reescribe traduci correggi riscrivi traduza reescreva vertaal herschrijf"
)
_FOLLOWING = words_of("continue finish complete extend sequel continuation setze fortsetzen continúa continúe prossigui continua")
_READING = words_of(
    "summarize summarise sum find list count name show give tell explain describe compare check extract answer search look identify report"
    " what who where when which why how is are does do did can could would should please read review analyze analyse outline collect"
    " fasse finde nenne zähle liste erkläre was wer wo wann welche warum wie bitte résume trouve liste compte quel quelle qui que pourquoi"
    " resume encuentra cuenta qué quién dónde cuándo cuál por riassumi trova elenca conta che chi dove quando"
)
_ASKS = re.compile(r"[?？؟][\"'”’)\]>]*\s*$", re.MULTILINE)
_SPOKEN = re.compile(r"[\"'“‘„«「『#>]")
"""What somebody in the text says, a heading or a quotation begins with one of these."""
_SENTENCE = re.compile(r"[^.!?:。！？：\n]{1,400}(?:[.!?:。！？：]|\n|\Z)")
_SENTENCE_END = re.compile(r"[.!?]\s+|[。！？]\s*")
_WORD = re.compile(r"[^\W\d_]+")
_BLANK = re.compile(r"\n[ \t\r]*\n")
_FIRST_WORDS = 12
"""So many words of a request say what is to be done."""


@dataclass(frozen=True)
class Text:
    """A text that a task is about. Its name is that of its file; empty for the words of the task."""

    name: str
    text: str


@dataclass(frozen=True)
class Asked:
    """What a task wants, and the texts that it is about."""

    request: str
    """Empty: the task does not say."""
    texts: tuple[Text, ...]


def asked_of(message: Message, room: float) -> Asked:
    """What a message asks for, and about what. `room`: the tokens that a request may have."""
    files = tuple(Text(file.name, file.text) for file in message.files if file.text)
    content = message.content
    if files and estimate(content) <= room:
        return Asked(content.strip(), files)
    request, text = _apart(content)
    return Asked(request, (Text("", text), *files))


def _apart(content: str) -> tuple[str, str]:
    """The request at an end of a text, and the rest. The whole text is the rest if no end asks."""
    start, end = _head(content), _tail(content)
    head, tail = content[:start].strip(), content[end:].strip()
    takes_head, takes_tail = _asks(head), end > start and _asks(tail)
    request = "\n\n".join([head] * takes_head + [tail] * takes_tail)
    text = content[start if takes_head else 0 : end if takes_tail else len(content)]
    return (request, text) if text.strip() else ("", content)


def _head(content: str) -> int:
    """Where the first paragraph ends, or the first line when that asks by itself or no short paragraph begins the text, or the first sentence."""
    lead = len(content) - len(content.lstrip())
    line = content.find("\n", lead, lead + LONGEST_LINE) + 1
    blank = _BLANK.search(content, lead, lead + LONGEST_REQUEST)
    if blank and not _leads(content[lead:line].strip()):
        return blank.end()
    sentence = None if line else _SENTENCE.match(content, lead)
    return sentence.end() if sentence else line


def _tail(content: str) -> int:
    """Where the last paragraph begins, or the last line, or the last sentence."""
    end = len(content.rstrip())
    blanks = [blank.end() for blank in _BLANK.finditer(content, max(0, end - LONGEST_REQUEST), end)]
    if blanks:
        return blanks[-1]
    line = content.rfind("\n", max(0, end - LONGEST_LINE), end)
    sentences = [sentence.end() for sentence in _SENTENCE_END.finditer(content, max(0, end - LONGEST_LINE), end)]
    return line + 1 if line >= 0 else next((start for start in reversed(sentences) if start < end), len(content))


def _asks(text: str) -> bool:
    """Whether one of its sentences is a question, or begins with a word that asks for something."""
    if _SPOKEN.match(text):
        return False
    return bool(_words(text)) and (bool(_ASKS.search(text)) or any(_begins(found.group()) for found in _SENTENCE.finditer(text)))


def _leads(line: str) -> bool:
    """Whether a first line asks by itself, so that the text begins after it."""
    return bool(_ASKS.search(line)) or (line.endswith((":", "：")) and _asks(line))


def _begins(sentence: str) -> bool:
    """A single word asks only with a sign after it: it may be the head of a column."""
    first, *others = sentence.split() or [""]
    word = first.rstrip(".,:;!?。！？：").lower()
    return (bool(others) or word != first.lower()) and (word == "please" or word in _READING | _REWRITING | _FOLLOWING)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text[:LONGEST_REQUEST])][:_FIRST_WORDS]


def way_of(request: str, *, shaped: bool = False) -> tuple[Way, str]:
    """How to read the parts, and what speaks for it. An answer that must fit a schema is one value, so nothing is joined for it."""
    if shaped:
        return "mapped", "the answer must fit a schema"
    for word in _words(request):
        if word in _FOLLOWING:
            return "followed", f"'{word}'"
        if word in _REWRITING:
            return "rewritten", f"'{word}'"
        if word in _READING and word not in ("can", "could", "would", "please", "bitte"):
            return "mapped", f"'{word}'"
    found = classify(request)
    if found.sure and found.type == "refactoring":
        return "rewritten", f"it looks like {one_line(found.type)}"
    return "mapped", "the task does not say that the text is to be written anew"

"""Finds answers that end in the middle, leave parts open, repeat themselves, refuse, or say nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mmos.quality.answer import Block, Reading
from mmos.quality.finding import Finding, Severity
from mmos.quality.places import place_of

_DANGLING = re.compile(
    r"(?:^|[\s(])(?:the|a|an|and|or|but|of|to|in|on|with|for|by|from|as|at|is|are|was|were|be|been|that|which|because|if|when|while|than|into|this|these|your|its|their|our|his|will|would|should|can|could|"
    r"must|may|might|has|have|does|not|so|such|e\.g\.|i\.e\.|de|la|le|les|un|une|et|ou|que|der|die|das|und|oder|ein|eine|el|los|las|y|o|con)$",
    re.IGNORECASE,
)
_DANGLING_TOO = re.compile(
    r"\s(?:it|they|you|we|I|any|each|every|some|only|also|then|where|what|how|who|whose|do|did|had|more|most|other|since|until|between|about|through|without|within|via|per|whether|unless|whenever|"
    r"although|though|both|either|neither|several|many|another|just|very|he|she|there|here's|it's|don't|doesn't|called|using|including|based)$",
    re.IGNORECASE,
)
"""Words that end no sentence, and that may end a short item of a list."""
_BEGINS = re.compile(
    r"(?:The|A|An|If|When|This|These|In|For|To|With|It|You|We|As|On|After|Before|By|There|Then|Also|Because|While|Since|Each|Every)\b"
)
"""Words that begin a sentence, and no greeting."""
_ENDS = re.compile(r"[.!?…。！？:;)\]}\"'`*_|>~”’»」）✅🎉😊\u2600-\u27bf\U0001f300-\U0001faff-]$|\d%?$|https?://\S+$")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])(?:\s+(.*))?$")
_NUMBERED = re.compile(r"^\s*(?:#{1,6}\s+|\*\*)?(?:step\s+)?(\d{1,2})[.):]\s*\S", re.IGNORECASE | re.MULTILINE)
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+\S")
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_ANNOUNCED = re.compile(
    rf"\b(?:here are|these are|there are|following|consider|in|these|with)\s+(?:the\s+)?(?:\w+\s+)?({'|'.join(_COUNTS)}|[2-9]|10)\s+(?:\w+\s+){{0,3}}?\w+s\b[^.\n]{{0,60}}:\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_PLACEHOLDER = re.compile(
    r"(?:#|//|/\*|--|<!--)\s*(?:\.\.\.|…)?\s*(?:"
    r"(?:your|add your|insert(?: your)?|put(?: your)?|write(?: your)?|fill in|implement(?: your| the)?)\s+(?:\w+\s+){0,3}(?:code|logic|implementation|function)(?:\s+(?:goes\s+)?here)?"
    r"|(?:the\s+)?rest\s+of\s+(?:the\s+|your\s+|this\s+)?(?:\w+\s+){0,2}(?:code|function|class|file|implementation|methods?|functions|logic|program|script)"
    r"|todo:?\s*(?:implement|add|finish|write|complete)(?:\s+\w+){0,4}"
    r"|(?:\.\.\.|…)?\s*(?:existing|previous|other|remaining|same)\s+(?:\w+\s+)?(?:code|methods?|functions?|implementation|logic)(?=.*(?:\.\.\.|…|here|unchanged|same|remain))"
    r"|(?:implementation|code|body|logic)\s+(?:omitted|goes here|unchanged|here)(?:\s+for\s+brevity)?"
    r")\s*(?:here|goes here|remains?(?: the same| unchanged)?|stays?(?: the same)?|unchanged|omitted.*|as before|for brevity|\([^)]*\)|\.\.\.|…)*[\s.]*(?:\*/|-->)?\s*$",
    re.IGNORECASE,
)
_REFUSES = re.compile(
    r"^\W*(?:(?:I['’]?m|I am)\s+(?:very |really |so )?sorry\b[^.]{0,40}(?:but\s+)?(?:I\s+)?(?:can['’]?t|cannot|am unable|won['’]?t|am not able)|I\s+(?:can['’]?t|cannot|can not|won['’]?t|am unable to|am not able to|will not)\s+(?:help|assist|provide|answer|do|comply|fulfil|write|create|generate|share|discuss)|"
    r"As an AI(?: language model)?,?\s+I\s+(?:can['’]?t|cannot|am not|do not|don['’]?t)|Sorry,?\s+(?:but\s+)?I\s+(?:can['’]?t|cannot|am unable))",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"\(?\[?(?:to be continued|continued in (?:the )?next|continue in (?:the )?next|message truncated|output truncated|response truncated)\b",
    re.IGNORECASE,
)
_LEAST_WORDS = 6
_REPEATS = 4


def completeness(reading: Reading) -> Iterator[Finding]:
    text = reading.answer.strip()
    if not text:
        yield Finding("empty", "error", "", "The answer is empty.", "Answer the question.")
        return
    if _REFUSES.match(text[:400]) and len(text) < 600:
        yield Finding("refusal", "warning", "", "The answer refuses.", "Answer the question, or ask another model.", text[:80])
    yield from _open_fence(reading)
    if reading.blocks and reading.blocks[-1].number == 0:
        yield from _placeholders(reading)
        return
    yield from _last_words(reading)
    yield from _lists(reading)
    yield from _placeholders(reading)
    yield from _repeats(reading)


def _open_fence(reading: Reading) -> Iterator[Finding]:
    last = reading.blocks[-1] if reading.blocks else None
    if last is not None and not last.closed:
        yield Finding(
            "truncated",
            "error",
            last.at(max(1, len(last.lines))),
            "The code block is never closed: the answer ends in the middle.",
            "Give the code whole.",
            _tail(last.text),
        )


def _tail(text: str) -> str:
    return text.rstrip()[-80:].rpartition("\n")[2]


def _last_words(reading: Reading) -> Iterator[Finding]:
    """Whether the last paragraph of the prose is a whole one. Code may follow it only where it stands before."""
    lines = reading.prose.splitlines()
    last = next((index for index in range(len(lines) - 1, -1, -1) if lines[index].strip()), None)
    if last is None or any(block.line > last + 1 for block in reading.blocks):
        return
    first = _beginning(lines, last)
    paragraph = " ".join(line.strip() for line in lines[first : last + 1])
    found = _cut_line(lines, last) or _unfinished(paragraph, lines[:first])
    if found is not None:
        severity, message = found
        yield Finding(
            "truncated",
            severity,
            place_of(reading, last + 1),
            f"The answer ends in the middle: {message}.",
            "Finish it.",
            _tail(lines[last]),
        )


def _beginning(lines: list[str], last: int) -> int:
    """The line where the last paragraph or item begins."""
    first = last
    while first and not _ITEM.match(lines[first]) and lines[first - 1].strip() and not re.match(r"\s*[#|>]", lines[first - 1]):
        first -= 1
    return first


def _cut_line(lines: list[str], index: int) -> tuple[Severity, str] | None:
    """What the form of the last line alone tells."""
    line = lines[index].rstrip()
    item = _ITEM.match(line)
    if _LATER.search(line[-200:]):
        return "error", "it says that it goes on"
    if item is not None and not (item[1] or "").strip(" *_`"):
        return "error", "the last item of a list is empty"
    if (_HEADING.match(line) or re.match(r"#{1,6}$", line)) and len(lines) > 1:
        return "error", "nothing follows the last heading"
    if line.lstrip().startswith("|"):
        return _cut_row(line, [other for other in lines[:index] if other.lstrip().startswith("|")])
    return None


def _unfinished(text: str, before: list[str]) -> tuple[Severity, str] | None:
    item = _ITEM.match(text)
    words = text.split()
    if text.lstrip().startswith(("|", "#")):
        return None
    dangles = _DANGLING.search(text) or (item is None and _DANGLING_TOO.search(text))
    if text.endswith(",") or (dangles and len(words) > 2) or re.search(r"\s(?:[-–—+=(]|->|\w*\()$", text):
        return "error", "its last sentence is not finished"
    if text.endswith(":") and len(words) > 1:
        return "error", "nothing follows its last line"
    if _has_open_signs(text):
        return "error", "a bracket or a mark is open at the end"
    return _without_stop(text, before, item)


def _cut_row(line: str, others: list[str]) -> tuple[Severity, str] | None:
    """A row of a table that has no end, or fewer cells than the others, or is the only one."""
    if others and not all(other.rstrip().endswith("|") for other in others):
        return None
    is_cut = not others or not line.endswith("|") or line.count("|") < min(other.count("|") for other in others)
    return ("error", "the last row of a table is cut") if is_cut else None


def _has_open_signs(line: str) -> bool:
    text = re.sub(r"`[^`]*`|(?<!\w)[:;]-?\(|^\s*[*+-]\s", "", line)
    if text.count("`") % 2:
        return True
    text = re.sub(r"\b[a-z0-9]\)|\d\)", "", text) if "(" not in text else text
    return text.count("(") > text.count(")") or text.count("[") > text.count("]") or text.count("**") % 2 == 1


def _without_stop(text: str, before: list[str], item: re.Match[str] | None) -> tuple[Severity, str] | None:
    """A paragraph or an item without a stop at its end is cut if the other ones, or its own sentences, have one."""
    if _ENDS.search(text):
        return None
    cut: tuple[Severity, str] = ("warning", "its last sentence has no end")
    if re.search(r"\w[\w`)\"'*\]]{1,3}[.!?][\"'*)]*\s+[\"'`*(]?[A-Z]", re.sub(r"\b(?:e\.g|i\.e|vs|etc|approx|Dr|Mr|Mrs|No)\.", "", text)):
        return cut
    least = 3 if item else _LEAST_WORDS
    if len(text.split()) < least and not (item is None and _BEGINS.match(text)):
        return None
    alike = [line.rstrip() for line in before if line.strip() and bool(_ITEM.match(line)) == bool(item) and not re.match(r"\s*[#|]", line)]
    told = [line for line in alike if len(line.split()) >= least]
    stopped = [line for line in told if re.search(r"[.!?。:][)\"'`*_]*$", line)]
    return cut if stopped and (not item or len(stopped) == len(told)) else None


def _lists(reading: Reading) -> Iterator[Finding]:
    """Lists that are announced with a count and have fewer items."""
    for found in list(_ANNOUNCED.finditer(reading.prose))[:10]:
        wanted = _COUNTS.get(found[1].lower()) or int(found[1])
        rest = reading.prose[found.end() :]
        numbers = [int(number) for number in _NUMBERED.findall(rest)]
        if numbers and numbers[0] == 1 and max(numbers) < wanted and _is_at_end(rest):
            line = reading.prose.count("\n", 0, found.start()) + 1
            yield Finding(
                "truncated",
                "warning",
                place_of(reading, line),
                f"A list of {wanted} is announced, and only {max(numbers)} are there.",
                "Give the rest.",
                found[0].strip()[:120],
            )


def _is_at_end(rest: str) -> bool:
    """Whether the answer ends with the list."""
    last = next((line for line in reversed(rest.splitlines()) if line.strip()), "")
    return bool(_ITEM.match(last) or last.startswith((" ", "\t")) or _NUMBERED.match(last))


def _placeholders(reading: Reading) -> Iterator[Finding]:
    for block in reading.blocks:
        if block.language in ("diff", "text", "markdown") or _is_template(block):
            continue
        for number, line in enumerate(block.lines, 1):
            if found := _PLACEHOLDER.search(line[:300]):
                severity: Severity = "note" if "todo" in found[0].lower() else "error"
                yield Finding("placeholder", severity, block.at(number), "A part of the code is left out.", "Write it.", line.strip()[:120])


def _is_template(block: Block) -> bool:
    return not block.language and not block.tag


def _repeats(reading: Reading) -> Iterator[Finding]:
    """The same long line or sentence again and again: the model is caught in a loop."""
    sentences = [
        part.strip()
        for part in re.split(r"(?<=[.!?])\s+|\n", reading.prose)
        if len(part.strip()) > 30 and not part.lstrip().startswith(("|", "---"))
    ]
    counts = Counter(sentences)
    for sentence, count in counts.most_common(1):
        if count >= _REPEATS:
            yield Finding(
                "repetition",
                "error" if count >= 2 * _REPEATS else "warning",
                "",
                f"A sentence stands {count} times in the answer.",
                "Say it once.",
                sentence[:120],
            )

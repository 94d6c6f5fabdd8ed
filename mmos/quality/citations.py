"""Finds citations of things that are not there: lines and files, quotations, numbers of sources, made-up links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mmos.quality.answer import Reading
from mmos.quality.finding import Finding, Severity
from mmos.quality.places import place_of

_PLACE = re.compile(
    r"(?<![\w/.:-])(?P<file>(?:[\w.@-]+/)*[\w@-][\w.@-]*\.[A-Za-z]\w{0,5})(?::|#L|,? (?:at |on )?lines? )(?P<line>\d{1,6})(?:[-–](?P<last>\d{1,6}))?\b"
)
_IN_FILE = re.compile(
    r"(?:in|from|see|file|of)\s+`(?P<file>(?:[\w.@-]+/)*[\w@-][\w.@-]*\.(?:py|js|ts|tsx|jsx|java|go|rs|c|h|cpp|rb|php|cs|md|yaml|yml|toml|json|sql|sh|txt|cfg|ini|html|css))`",
    re.IGNORECASE,
)
_QUOTE = re.compile(
    r"(?:says?|states?|reads?|contains?|according to|quote[sd]?|writes?)[^\"“\n]{0,40}[\"“](?P<words>[^\"”\n]{25,300})[\"”]", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<=[\w.,)\"”])\s?\[(\d{1,2})\](?!\(|:|\w)")
_SOURCE = re.compile(r"^\s*(?:\[(\d{1,2})\](?::|\s+\S)|(\d{1,2})\.\s+\S)", re.MULTILINE)
_LINK = re.compile(r"\bhttps?://([\w.-]{1,200})(/[^\s)>\]\"'`]{0,300})?")
_MADE_UP = re.compile(r"\.(?:invalid|fake|test-?url)$|^(?:www\.)?(?:fake|made-?up|nonexistent|not-?real)[\w-]*\.", re.IGNORECASE)
_MADE = re.compile(r"\b(?:create|add|new|make|write|save|put|generate|rename|move|call)\b", re.IGNORECASE)


def citations(reading: Reading) -> Iterator[Finding]:
    text = reading.prose
    files = reading.subject.files
    if files:
        yield from _places(reading, text, files)
        yield from _quotations(reading, text, files)
    yield from _numbers(reading, text)
    for found in _LINK.finditer(text):
        if _MADE_UP.search(found[1]):
            yield _finding(reading, found, "note", "The address looks made up.", "Check it.")


def _finding(reading: Reading, found: re.Match[str], severity: Severity, message: str, cure: str) -> Finding:
    line = reading.prose.count("\n", 0, found.start()) + 1
    return Finding(
        "citation",
        severity,
        place_of(reading, line),
        message,
        cure,
        found[0].strip()[:120],
    )


def _places(reading: Reading, text: str, files: Mapping[str, str]) -> Iterator[Finding]:
    shown = {block.file for block in reading.blocks}
    for found in _PLACE.finditer(text):
        name = _given(found["file"], files)
        if name is None:
            if found["file"] not in shown and found["file"] not in reading.question:
                yield _finding(reading, found, "warning", f"{found['file']} is none of the given files.", "Name a file that is given.")
        elif int(found["last"] or found["line"]) > (count := max(1, len(files[name].splitlines()))):
            yield _finding(reading, found, "error", f"{name} has only {count} lines.", "Name a line that is there.")
    for found in _IN_FILE.finditer(text):
        name = found["file"]
        is_new = name in shown or name in reading.question or _MADE.search(text[max(0, found.start() - 80) : found.start()])
        if not is_new and _given(name, files) is None and not any(name in content for content in files.values()):
            yield _finding(reading, found, "warning", f"{name} is none of the given files.", "Name a file that is given.")


def _given(name: str, files: Mapping[str, str]) -> str | None:
    """The given file that is meant: by its whole name, or by the end of it."""
    if name in files:
        return name
    return next((one for one in files if one.replace("\\", "/").endswith(f"/{name}") or name.endswith(f"/{one}")), None)


def _quotations(reading: Reading, text: str, files: Mapping[str, str]) -> Iterator[Finding]:
    """Long quotations that stand in no given file. The words count, not the space between them."""
    sources = " ".join(_words(content) for content in (*files.values(), reading.question))
    for found in _QUOTE.finditer(text):
        words = _words(found["words"])
        if len(words.split()) >= 5 and not all(_words(part) in sources for part in re.split(r"\.\.\.|…|\[\.\.\.\]", found["words"])):
            yield _finding(reading, found, "warning", "The quoted words stand in none of the given files.", "Quote what is there.")


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _numbers(reading: Reading, text: str) -> Iterator[Finding]:
    cited = list(_NUMBER.finditer(text))
    if not cited or re.search(r"\[\d\][\s,]*\[\d\]\s*=|array|index|indices", text):
        return
    sources = {found[1] or found[2] for found in _SOURCE.finditer(text)} | set(
        re.findall(r"^\s*\[(\d{1,2})\]", reading.question, re.MULTILINE)
    )
    sources |= {number for content in reading.subject.files.values() for number in re.findall(r"^\s*\[(\d{1,2})\]", content, re.MULTILINE)}
    sources |= {str(number) for number in reading.subject.passages}
    for number in dict.fromkeys(found[1] for found in cited):
        if number not in sources and len(reading.subject.files) < int(number):
            found = next(one for one in cited if one[1] == number)
            yield _finding(
                reading, found, "warning", f"[{number}] names a source that is not there.", "List the source, or leave the number out."
            )

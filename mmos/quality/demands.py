"""Compares an answer with what the question asks for: form, length, language, and the parts that it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mmos.plurals import counted
from mmos.quality.answer import Reading
from mmos.quality.finding import Finding, Severity
from mmos.quality.grammars import TITLES
from mmos.quality.languages import language_of_tag

_NUMBERS = {"one": 1, "a single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_COUNT = rf"(\d{{1,4}}|{'|'.join(_NUMBERS)})"
_AT_MOST = re.compile(
    rf"\b(?:in|at most|no more than|max(?:imum)?(?: of)?|up to|under|within|fewer than|less than|not more than|limit(?:ed)? to)\s+(?:at most\s+|under\s+)?{_COUNT}\s+(words?|sentences?|lines?|paragraphs?|characters?)\b",
    re.IGNORECASE,
)
_LIST = re.compile(
    rf"\b(?:list|give(?: me)?|name|write|provide|suggest|exactly|enumerate)\s+(?:me\s+)?(?:exactly\s+)?{_COUNT}\s+(?:\w+\s+){{0,2}}?(?:reasons?|examples?|ways?|steps?|points?|items?|tips?|ideas?|names?|bullet points?|bullets|advantages|disadvantages|benefits|options|titles|questions|suggestions|differences|arguments)\b",
    re.IGNORECASE,
)
_AS_JSON = re.compile(
    r"\b(?:as|in|only|valid|return|output|respond|answer|reply|a)\s+(?:only\s+)?(?:with\s+|in\s+|as\s+)?(?:a\s+)?(?:valid\s+|single\s+|plain\s+)?json\b(?!\s+(?:schema|file|files|parser|library|api|web token|module|line|lines|format to|web|encoder|decoder|string|column|field|serializ))",
    re.IGNORECASE,
)
_ONLY_JSON = re.compile(
    r"\b(?:only|nothing but|just)\s+(?:with\s+)?(?:a\s+)?(?:valid\s+)?json\b|\bjson\s+(?:only|object only)\b|\bno (?:prose|explanation|other text)\b",
    re.IGNORECASE,
)
_TABLE = re.compile(
    r"\b(?:as|in|make|with|give(?: me)?|create|draw|use|into)\s+(?:a|an)?\s*(?:markdown\s+|comparison\s+)?table\b(?!\s+(?:named|called|of contents|users|with columns|in (?:the )?(?:database|sql)|for (?:the )?database))",
    re.IGNORECASE,
)
_ASKS_SQL = re.compile(r"\bsql\b|\bdatabase\b|\bcreate table\b|\bquery\b|\bschema\b|\bhtml\b|\bmigration\b", re.IGNORECASE)
_WITH_TESTS = re.compile(
    r"\b(?:with|and|including|include|add|write|plus)\s+(?:some\s+|unit\s+|the\s+|a few\s+|matching\s+|pytest\s+)*(?:unit\s*)?tests?\b(?!\s+(?:data|case for|whether|if|driven|environment|server))",
    re.IGNORECASE,
)
_TESTS = re.compile(
    r"\bdef test_|\bassert\b|\bunittest\b|\bpytest\b|\b(?:it|test|describe)\(|@Test\b|\bfunc Test|#\[test\]|\bexpect\(|\bRSpec\b|\bTestCase\b|assertEqual|\[Fact\]|>>> ",
    re.IGNORECASE,
)
_IN_LANGUAGE = re.compile(
    r"\b(?:in|using|with)\s+(python|javascript|typescript|java|golang|go|rust|ruby|php|bash|c\+\+|c#|kotlin|swift|sql|powershell|scala)\b(?!\s*(?:and|or|vs|to|into|than|,))|\b(?:a|write|the)\s+(python|javascript|typescript|java|golang|rust|ruby|php|bash|c\+\+|c#|kotlin|swift)\s+(?:function|program|script|class|method|code|snippet|implementation)\b",
    re.IGNORECASE,
)
_WANTS_CODE = re.compile(
    r"\b(?:write|implement|create|code|build|generate|make|give me|show me|provide)\b.{0,60}\b(?:function|program|script|class|code|method|snippet|implementation|module|query|regex)\b|\brewrite\b|\bimplement\b|\btranslate\b.{0,40}\bto\b",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(?:function|class|method|variable|constant|file|named|called|module)\s+(?:named\s+|called\s+)?[`'\"]([A-Za-z_][\w.]*)(?:\(\))?[`'\"]|\b(?:named|called)\s+([a-z]+_[a-z_]+|[A-Z][a-z]+[A-Z]\w+)\b",
    re.IGNORECASE,
)
_CONVERTS = re.compile(r"\b(?:convert|translate|port|migrate|rewrite|explain|what|why|how|fix|debug|review|from)\b", re.IGNORECASE)
_QUOTED = re.compile(r"```[\s\S]*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"")
_ALIKE = {
    "shell": ("shell", "console", "text"),
    "javascript": ("javascript", "typescript", "tsx", "html"),
    "typescript": ("typescript", "tsx"),
    "c": ("c", "cpp"),
    "java": ("java",),
}
_LATITUDE = 1.1
"""Words and sentences may be counted differently."""


def demands(reading: Reading) -> Iterator[Finding]:
    if not reading.question.strip() or not reading.answer.strip():
        return
    asked = _QUOTED.sub(" ", reading.question)[:20_000]
    for one in _DEMANDS:
        yield from one(reading, asked)


def _finding(message: str, cure: str, severity: Severity = "warning", quote: str = "") -> Finding:
    return Finding("unmet", severity, "", message, cure, quote.strip()[:120])


def _length(reading: Reading, asked: str) -> Iterator[Finding]:
    for found in _AT_MOST.finditer(asked):
        most, unit = _number(found[1]), found[2].lower().rstrip("s")
        count = _counted(reading, unit)
        limit = most if unit in ("sentence", "paragraph", "line") else most * _LATITUDE
        if count > limit:
            yield _finding(f"The question asks for at most {counted(most, unit)}, and there are {count:,}.", "Shorten it.", quote=found[0])


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text.lower()]


def _counted(reading: Reading, unit: str) -> int:
    text = reading.prose.strip() or reading.answer.strip()
    if unit == "word":
        return len(re.findall(r"\w[\w'’-]*", text))
    if unit == "sentence":
        plain = re.sub(r"\b(?:e\.g|i\.e|etc|vs|approx|Dr|Mr|Mrs|No|[A-Z])\.|\d\.\d|\w\.\w", "x", text)
        return len(re.findall(r"[.!?]+(?=\s|$|[\"'”)])", plain)) or 1
    if unit == "line":
        return len([line for line in (reading.answer if not reading.blocks else reading.prose).splitlines() if line.strip()])
    if unit == "paragraph":
        return len([part for part in re.split(r"\n\s*\n", text) if part.strip()])
    return len(text)


def _items(reading: Reading, asked: str) -> Iterator[Finding]:
    for found in _LIST.finditer(asked):
        wanted = _number(found[1])
        items = re.findall(r"^\s{0,3}(?:#{1,4}\s*|\*\*)?(?:\d{1,3}[.):]|[-*+•])\s+\S", reading.prose, re.MULTILINE)
        headings = re.findall(r"^#{2,4}\s+\S|^\*\*[^*\n]+\*\*", reading.prose, re.MULTILINE)
        if wanted > 1 and items and len(items) < wanted and len(headings) < wanted:
            yield _finding(f"The question asks for {wanted}, and the list has {len(items)}.", "Give all of them.", quote=found[0])


def _json(reading: Reading, asked: str) -> Iterator[Finding]:
    found = _AS_JSON.search(asked)
    if found is None or any(block.language in ("json", "jsonc", "jsonl") for block in reading.blocks) or _WANTS_CODE.search(asked):
        return
    is_value = reading.answer.lstrip()[:1] in '{["'
    if not is_value:
        yield _finding(
            "The question asks for JSON, and there is none.", "Give JSON.", "error" if _ONLY_JSON.search(asked) else "warning", found[0]
        )


def _table(reading: Reading, asked: str) -> Iterator[Finding]:
    found = _TABLE.search(asked)
    if found and not _ASKS_SQL.search(asked) and not re.search(r"^\s*\|.*\|\s*$|<table|[┌│+]-{2,}|\t\S+\t", reading.answer, re.MULTILINE):
        yield _finding("The question asks for a table, and there is none.", "Make a table.", quote=found[0])


def _tests(reading: Reading, asked: str) -> Iterator[Finding]:
    found = _WITH_TESTS.search(asked)
    if found and _WANTS_CODE.search(asked) and reading.blocks and not _TESTS.search(reading.answer):
        yield _finding("The question asks for tests, and there are none.", "Add tests.", quote=found[0])


def _language(reading: Reading, asked: str) -> Iterator[Finding]:
    found = _IN_LANGUAGE.search(asked)
    if found is None or not _WANTS_CODE.search(asked) or len({one[1] or one[2] for one in _IN_LANGUAGE.finditer(asked)}) != 1:
        return
    wanted = language_of_tag(found[1] or found[2])
    written = {block.language for block in reading.blocks if block.language and not block.guessed} - {
        "shell",
        "console",
        "text",
        "json",
        "yaml",
        "toml",
        "markdown",
        "dockerfile",
    }
    if not reading.blocks:
        yield _finding(f"The question asks for {TITLES.get(wanted, wanted)} code, and there is no code.", "Write the code.", quote=found[0])
    elif written and wanted and not written & {wanted, *_ALIKE.get(wanted, ())}:
        names = ", ".join(sorted(TITLES.get(one, one) for one in written))
        yield _finding(
            f"The question asks for {TITLES.get(wanted, wanted)}, and the code is {names}.",
            "Use the language that is asked for.",
            "error",
            found[0],
        )


def _code(reading: Reading, asked: str) -> Iterator[Finding]:
    found = re.search(
        r"^\s*(?:please\s+)?(?:write|implement|create)\b.{0,40}\b(?:function|program|script|class|method)\b", asked, re.IGNORECASE
    )
    if found and not reading.blocks and "`" not in reading.answer and not _IN_LANGUAGE.search(asked) and len(reading.answer) > 40:
        yield _finding("The question asks for code, and there is none.", "Write the code.", quote=found[0])


def _names(reading: Reading, asked: str) -> Iterator[Finding]:
    """Names that the code must have, because the question gives them."""
    if not reading.blocks or not _WANTS_CODE.search(asked) or _CONVERTS.search(asked.split(".")[0][:30]):
        return
    for found in _NAMED.finditer(reading.question[:20_000]):
        name = found[1] or found[2]
        if name and name.lower() not in reading.answer.lower():
            yield _finding(f"The question names {name}, and the answer does not have it.", f"Use the name {name}.", quote=found[0])


_SCRIPTS = {
    "Cyrillic": r"[\u0400-\u04ff]",
    "Chinese or Japanese": r"[\u3040-\u30ff\u4e00-\u9fff]",
    "Korean": r"[\uac00-\ud7af]",
    "Arabic": r"[\u0600-\u06ff]",
    "Hebrew": r"[\u0590-\u05ff]",
    "Greek": r"[\u0370-\u03ff]",
    "Devanagari": r"[\u0900-\u097f]",
    "Thai": r"[\u0e00-\u0e7f]",
}
_WORDS = {
    "English": "the and of to is in that for with this are you it not be can use when which your",
    "German": "der die das und ist nicht mit ein eine für auf den sich wird werden oder auch sie wenn ich wie",
    "French": "le la les et est une des pour dans que vous pas avec sur qui ce cette sont comment je",
    "Spanish": "el la los que de y en un una para con por como se es las está puede cómo función",
    "Italian": "il che di e la per un una con non sono come è del della gli si puoi questo",
    "Portuguese": "o que de e do da em um uma para com não os como se você é são dos",
    "Dutch": "de het een en van is niet dat met voor op zijn je wordt als hoe kan aan",
}
_SETS = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_SAYS_LANGUAGE = re.compile(
    r"\b(?:translate|in (?:english|german|french|spanish|italian|portuguese|dutch|russian|chinese|japanese|korean|arabic)|auf (?:deutsch|englisch)|en (?:français|anglais|español|inglés)|übersetz|tradui|traduc)",
    re.IGNORECASE,
)


def _tongue(reading: Reading, asked: str) -> Iterator[Finding]:
    """Whether the prose is in the language of the question."""
    if _SAYS_LANGUAGE.search(asked):
        return
    wanted, given = _tongue_of(asked), _tongue_of(reading.prose[:20_000])
    if wanted and given and wanted != given:
        yield _finding(f"The question is in {wanted}, and the answer is in {given}.", f"Answer in {wanted}.")


def _tongue_of(text: str) -> str:
    """The language of a text, if it is clear."""
    letters = re.findall(r"[^\W\d_]", text)
    for name, signs in _SCRIPTS.items():
        if len(letters) > 8 and len(re.findall(signs, text)) > 0.4 * len(letters):
            return name
    words = re.findall(r"[^\W\d_]+", text.lower())
    counts = {name: sum(word in known for word in words) for name, known in _SETS.items()}
    best, second = sorted(counts, key=lambda name: -counts[name])[:2]
    return best if counts[best] >= 4 and counts[best] >= 2 * counts[second] and counts[best] > 0.12 * len(words) else ""


_DEMANDS: tuple[Callable[[Reading, str], Iterator[Finding]], ...] = (
    _length,
    _items,
    _json,
    _table,
    _tests,
    _language,
    _code,
    _names,
    _tongue,
)

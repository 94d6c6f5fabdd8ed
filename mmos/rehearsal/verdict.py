"""Judges an answer as every persona does: it looks for sums, counts, words and code that are plainly wrong, and quotes them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping

import orjson

from mmos.rehearsal.prompt import Prompt, quoted
from mmos.rehearsal.skills import FENCE, LONGEST, value_of

SYSTEM = "You check answers."
"""So begins the system text of a judge."""
POINTS = ("correct", "complete", "instructions", "safe")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_EACH_LINE = re.compile(rf"\b({'|'.join(NUMBERS)})\b.*\bon each line", re.IGNORECASE | re.DOTALL)
_ONE_WORD = re.compile(r"\b(?:with|in) one word\b", re.IGNORECASE)
_EQUATIONS = re.compile(r"[\d(][\d\s().+*/-]{0,80}(?:=[\d\s().+*/-]{1,80})+")
_LARGEST = re.compile(r"\b(?:largest|greatest|maximum)\b", re.IGNORECASE)
_SMALLER = re.compile(r"if \w+ < (?:result|largest|best|maximum)\b")
_QUERY = re.compile(r"\bexecute\(f[\"'].*", re.IGNORECASE)
_TO_THE_JUDGE = re.compile(r"note to the judge[^\n]*", re.IGNORECASE)


def judged(prompt: Prompt) -> str | None:
    """The verdict on an answer, or the choice among several, as JSON. None: nobody asks for one."""
    if isinstance(prompt.format, Mapping) and prompt.format.get("properties", {}).keys() >= {"why", "best", "second"}:
        return _json(_chosen(prompt))
    if prompt.format is None or not prompt.system.startswith(SYSTEM):
        return None
    if "\nAnswer 2:\n" in prompt.user_text:
        one = _part("Answer 1", prompt.user_text)
        return _json({"quote": one[:80], "why": "A rehearsal of a judge does not see which is better.", "better": "same"})
    question, answer = (_part(name, prompt.user_text)[:LONGEST] for name in ("The question", "The answer"))
    said = {point: {"quote": answer.strip()[:80], "fault": "", "cure": "", "verdict": "good"} for point in POINTS}
    for point, look in _LOOKS:
        if found := look(question, answer):
            quote, fault = found
            said[point] = {"quote": quote, "fault": fault, "cure": "Correct it.", "verdict": "bad"}
    return _json(said)


def _chosen(prompt: Prompt) -> Mapping[str, object]:
    """The answer that says most. A rehearsal of a judge knows no better."""
    letters = [str(letter) for letter in prompt.format["properties"]["best"].get("enum", ())]
    ranked = sorted(letters, key=lambda letter: -len(_part(f"Answer {letter}", prompt.user_text)))
    first, second = (*ranked, *ranked)[:2] if ranked else ("A", "B")
    return {"why": f"Answer {first} says most. (rehearsed)", "best": first, "second": second, "close": False}


def _part(name: str, text: str) -> str:
    """The text below a line such as `The answer:`."""
    return quoted(text.partition(f"{name}:\n")[2])[0]


def _json(said: Mapping[str, object]) -> str:
    return orjson.dumps(said).decode()


def _wrong_sum(_: str, answer: str) -> tuple[str, str] | None:
    for found in _EQUATIONS.finditer(answer):
        try:
            first, *others = (value_of(part.strip().rstrip(".( ")) for part in found[0].split("="))
        except (ValueError, ZeroDivisionError):
            continue
        if any(other != first for other in others):
            return found[0].strip(), f"It is {first:g}."
    return None


def _broken_code(_: str, answer: str) -> tuple[str, str] | None:
    for source in FENCE.findall(answer):
        try:
            ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return source.strip()[:80], "The code cannot be parsed."
    return None


def _wrong_way(question: str, answer: str) -> tuple[str, str] | None:
    """A search for the largest that keeps the smallest."""
    found = _SMALLER.search(answer) if _LARGEST.search(question) else None
    return (found[0], "It keeps the smallest.") if found else None


def _to_the_judge(_: str, answer: str) -> tuple[str, str] | None:
    found = _TO_THE_JUDGE.search(answer)
    return (found[0], "It speaks to the judge in place of the user.") if found else None


def _missing_lines(question: str, answer: str) -> tuple[str, str] | None:
    found = _EACH_LINE.search(question)
    wanted = NUMBERS.index(found[1].lower()) if found else 0
    there = len([line for line in answer.splitlines() if line.strip()])
    return (found[0], f"It has {there} of {wanted}.") if found and there < wanted else None


def _many_words(question: str, answer: str) -> tuple[str, str] | None:
    return (answer.strip()[:80], "It has more than one word.") if _ONE_WORD.search(question) and len(answer.split()) > 1 else None


def _open_query(_: str, answer: str) -> tuple[str, str] | None:
    found = _QUERY.search(answer)
    return (found[0][:80], "Words of others become a part of the query.") if found else None


_LOOKS: tuple[tuple[str, Callable[[str, str], tuple[str, str] | None]], ...] = (
    ("correct", _to_the_judge), ("correct", _broken_code), ("correct", _wrong_way), ("correct", _wrong_sum), ("complete", _missing_lines), ("instructions", _many_words),
    ("safe", _open_query),
)  # fmt: skip

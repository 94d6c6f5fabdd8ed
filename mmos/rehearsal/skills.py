"""Small real tasks that a persona can do: each skill reads a prompt and returns an answer or nothing."""

from __future__ import annotations

import ast
import json
import operator
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping

from mmos.rehearsal.prompt import Prompt, quoted, text_of

Worker = Callable[[Prompt], str | None]

EXPRESSION = re.compile(r"(?<![\w.])[-(]{0,8}\d[\d\s().]{0,40}(?:(?:\*\*|//|[-+*/%])\s{0,4}[-(]{0,8}\d[\d\s().]{0,40})+")
SUM_REQUEST = re.compile(r"\bwhat(?:'s| is| are)\b|\b(?:calculat|comput|evaluat|solve|how much)|=", re.IGNORECASE)
BRACKETS = re.compile(r"\([^()]*\)")
STEP = re.compile(r"(\*\*|//|[-+*/%])?(-?[\d.]+)")
DATE = re.compile(r"\A\s*\d{1,4}([-/])\d{1,2}\1\d{1,4}\s*\Z")
FENCE = re.compile(r"```(?:python|py)?\s*\n(.*?)```", re.DOTALL)
FENCES = re.compile(r"^(?:<{3,}|>{3,})(?:\n|\Z)", re.MULTILINE)
SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
WORD = re.compile(r"[^\W\d_][\w'-]*")
TODO = re.compile(r"^.*(?:(?:#|//|--|;|\*)\s*(?:TODO|FIXME|XXX)\b|\b(?:TODO|FIXME|XXX)[:(]).*$", re.MULTILINE)
NUMBERED = re.compile(r"^ {0,9}(\d{1,9}) \| (.+)$", re.MULTILINE)
EXCEPTION = re.compile(r"^(?:E +)?[\w.]{1,80}(?:Error|Exception)\b: ")
LARGEST = 10**15
LONGEST = 4000
"""How many characters of a text are searched for sums."""
OPERATORS: Mapping[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def arithmetic(prompt: Prompt) -> str | None:
    """`What is 12 * (3 + 4)?`"""
    task = prompt.task[:LONGEST]
    for found in EXPRESSION.finditer(task):
        text = found.group().strip().rstrip(".")
        if not SUM_REQUEST.search(task) and len(text) < len(task) / 2:
            continue
        if DATE.match(text):
            continue
        try:
            return f"{text} = {value_of(text)}"
        except ZeroDivisionError:
            return f"{text} has no value: it divides by zero."
        except ValueError:
            continue
    return None


def arithmetic_by_ear(prompt: Prompt) -> str | None:
    """The same with a mistake: it works from left to right, as if `*` did not come before `+`. Brackets are right."""
    result = arithmetic(prompt)
    text, equals, _ = (result or "").partition(" = ")
    try:
        return f"{text} = {_by_ear(text)}" if equals else result
    except (ValueError, ZeroDivisionError):
        return result


def _by_ear(text: str) -> float:
    text = text.replace(" ", "")
    while "(" in text:
        text = BRACKETS.sub(lambda found: str(value_of(found.group())), text)
    (_, first), *rest = STEP.findall(text)
    value = value_of(first)
    for sign, number in rest:
        value = value_of(f"({value}){sign}({number})")
    return value


def value_of(expression: str) -> float:
    """The value of a sum. Raises `ValueError` when it is no sum, or too large."""
    try:
        return round(_compute(ast.parse(expression.strip(), mode="eval").body), 10)
    except (SyntaxError, OverflowError, RecursionError) as error:
        raise ValueError(f"no sum: {expression}") from error


def _compute(node: ast.AST) -> float:
    """The value of a tree of plain numbers and operators. Other nodes are refused."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        value: float = node.value
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        value = _power(_compute(node.left), _compute(node.right))
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        value = OPERATORS[type(node.op)](_compute(node.left), _compute(node.right))
    elif isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
        value = OPERATORS[type(node.op)](_compute(node.operand))
    else:
        raise ValueError("not plain arithmetic")
    if abs(value) > LARGEST:
        raise ValueError("too large")
    return value


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > 64 or abs(base) > 10_000 or base < 0:
        raise ValueError("too large")
    return float(base**exponent) if exponent < 0 or exponent % 1 else base**exponent


def sort_words(prompt: Prompt) -> str | None:
    """`Sort: pear, apple, fig`"""
    found = re.search(r"\bsort\b[^:\n]*:\s*([^\n]+)", prompt.task, re.IGNORECASE)
    if found is None:
        return None
    line = found.group(1).strip().rstrip(".")
    words = [word.strip() for word in line.split(",")] if "," in line else line.split()
    return ", ".join(sorted(words, key=str.casefold))


def count_words(prompt: Prompt) -> str | None:
    """`How many words …?` or `Count the words: …`"""
    found = re.search(r"\b(?:how many|count(?: the)?)\s+(?:words|lines|characters)\b[^:\n]*:?\s*", prompt.task, re.IGNORECASE)
    if found is None:
        return None
    text = prompt.task[found.end() :].strip() or prompt.task
    return f"{len(WORD.findall(text))} words, {len(text.splitlines())} lines, {len(text)} characters."


def python_syntax(prompt: Prompt) -> str | None:
    """Whether the Python in code fences can be parsed. If not, where and why."""
    blocks = FENCE.findall(prompt.task)
    if not blocks:
        return None
    return "\n".join(_check(number, source) for number, source in enumerate(blocks, 1))


def _check(number: int, source: str) -> str:
    what = "The code" if number == 1 else f"Block {number}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<text>", "exec", flags=ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        lines = source.splitlines()
        line = lines[error.lineno - 1].strip() if error.lineno and error.lineno <= len(lines) else ""
        return f"{what} cannot be parsed: line {error.lineno}, column {error.offset}: {error.msg}. The line is `{line}`."
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{what} cannot be parsed: {error}."
    return f"{what} is valid Python; I did not run it."


def summary(prompt: Prompt) -> str | None:
    """The two sentences with the most frequent words, in their order."""
    text = prompt.task
    sentences = [sentence.strip() for sentence in SENTENCE.findall(text) if len(WORD.findall(sentence)) > 3]
    if len(sentences) < 3:
        return None
    weights = Counter(word.lower() for word in WORD.findall(text) if len(word) > 3)

    def weight(sentence: str) -> float:
        words = WORD.findall(sentence)
        return sum(weights[word.lower()] for word in words) / (len(words) + 4)

    best = sorted(sorted(sentences, key=weight, reverse=True)[:2], key=sentences.index)
    return "In the text's own words: " + " ".join(best)


def synthesis(prompt: Prompt) -> str | None:
    """What stands between the user's own words and the instruction: several responses, word for word."""
    own_words, rest = quoted(prompt.user_text)
    responses = FENCES.sub("", rest.rpartition("\nWhat is asked of you:")[0]).strip()
    return f"All responses in one:\n\n{responses}" if own_words and responses else None


def list_todos(prompt: Prompt) -> str | None:
    """Every line with TODO, FIXME or XXX."""
    found = [line.strip() for line in TODO.findall(prompt.task)]
    return "\n".join([f"{len(found)} to do:", *(f"- {line}" for line in found)]) if found else None


def first_error(prompt: Prompt) -> str | None:
    """As the answer of a diagnosis: the last exception of the log in the task, or else its first line with an error."""
    log = "\n".join(text_of(message) for message in prompt.messages if message.get("role") == "user")
    lines = [(int(number), text.strip()) for number, text in NUMBERED.findall(log)]
    exceptions = [line for line in lines if EXCEPTION.search(line[1])]
    number, text = next(iter(exceptions[-1:] or [line for line in lines if "error" in line[1].lower()]), (0, ""))
    if not number:
        return None
    ask = {"kind": "ask", "text": "Does this line name the cause? A rehearsal of a model only found it."}
    said = {"cause": text, "evidence": [number], "suggestions": [ask], "confidence": 0.3, "more": "a real model"}
    return json.dumps(said, ensure_ascii=False)


SKILLS: Mapping[str, Worker] = {
    "arithmetic": arithmetic,
    "arithmetic_by_ear": arithmetic_by_ear,
    "sort_words": sort_words,
    "count_words": count_words,
    "python_syntax": python_syntax,
    "summary": summary,
    "list_todos": list_todos,
    "synthesis": synthesis,
    "first_error": first_error,
}

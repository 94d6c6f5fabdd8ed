"""Compiles the conditions of routing rules. A condition can only compare known facts."""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmos.config.facts import ALIASES, FACTS, TASK_CLASSES, task_class
from mmos.config.wording import perhaps, shown

_LONGEST = 1000
_MOST_NODES = 100
_WORDS = {"true": True, "false": False, "null": None}
_SIGNS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
_CURES = (
    (r"&&", "write 'and' for '&&'"),
    (r"\|\|", "write 'or' for '||'"),
    (r"!(?!=)", "write 'not' for '!'"),
    (r"(?<![=!<>])=(?!=)", "write '==' to compare"),
)

Facts = Mapping[str, Mapping[str, Any]]
_Test = Callable[[Facts], Any]


class RuleError(ValueError):
    """An invalid condition; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


@dataclass(frozen=True)
class Rule:
    """A compiled condition."""

    text: str
    names: frozenset[str]
    """The facts that it uses."""
    comparisons: Mapping[str, Sequence[Any]]
    """The values that it compares each fact with."""
    plain: bool
    """True if every comparison is of a fact with written values, and these values distinguish all cases."""
    _test: _Test

    def evaluate(self, facts: Facts) -> bool:
        """Whether it is true for facts such as `{"task": {"complexity": 8}, "response": {}}`. A comparison with an absent fact is false, never an error."""
        return bool(self._test(facts))


def compile_rule(text: str) -> Rule:
    if len(text) > _LONGEST:
        raise RuleError(f"the condition has {len(text)} characters, allowed: at most {_LONGEST}", _LONGEST)
    lead = len(text) - len(text.lstrip())
    source = re.sub(r"[\r\n\t]", " ", text.strip())
    compiler = _Compiler(source, lead)
    test = compiler.compile(_parse(source, lead))
    return Rule(text, frozenset(compiler.names), compiler.comparisons, compiler.plain, test)


def _parse(source: str, lead: int) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, mode="eval")
    except SyntaxError as error:
        column = lead + min(error.offset or len(source) + 1, len(source) + 1)  # without an offset the condition is cut off at its end
        raise RuleError(f"this is not a condition; {_cure(source)}", column) from None
    except (ValueError, RecursionError, MemoryError):
        raise RuleError("this is not a condition", lead + 1) from None
    if sum(isinstance(node, ast.expr) for node in ast.walk(tree)) > _MOST_NODES:
        raise RuleError(f"the condition has more than {_MOST_NODES} parts", lead + 1)
    return tree.body


def _cure(source: str) -> str:
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "''", source)
    return next((cure for sign, cure in _CURES if re.search(sign, bare)), "write it like task.complexity > 7 and task.type == 'bug_fixing'")


class _Compiler:
    def __init__(self, source: str, lead: int) -> None:
        self._source = source
        self._lead = lead
        self.names: set[str] = set()
        self.comparisons: dict[str, list[Any]] = {}
        self.plain = True

    def compile(self, node: ast.expr) -> _Test:
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                tests = [self.compile(value) for value in values]
                return lambda facts: all(test(facts) for test in tests)
            case ast.BoolOp(values=values):
                tests = [self.compile(value) for value in values]
                return lambda facts: any(test(facts) for test in tests)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                test = self.compile(operand)
                return lambda facts: not test(facts)
            case ast.Compare():
                return self._compare(node)
            case ast.Attribute():
                return self._fact(node)
        literal = self._literal(node)
        return lambda _facts: literal

    def _fault(self, node: ast.expr, message: str) -> RuleError:
        before = self._source.encode()[: node.col_offset].decode(errors="ignore")  # ast counts bytes
        return RuleError(message, self._lead + len(before) + 1)

    def _fact(self, node: ast.Attribute) -> _Test:
        name = ast.unparse(node)
        if name not in FACTS:
            raise self._fault(node, f"'{shown(name)}' is not known{perhaps(name, FACTS) or '.'} Known: {_known(name)}")
        self.names.add(name)
        subject, _, attribute = name.partition(".")
        return lambda facts: facts.get(subject, {}).get(attribute)

    def _literal(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=str() | int() | float() | None as value):
                return value
            case ast.Name(id=word) if word in _WORDS:
                return _WORDS[word]
            case ast.Name(id=word):
                near = perhaps(f"task.{word}", FACTS) or perhaps(word, FACTS)
                raise self._fault(node, f"'{shown(word)}' is not known{near or '; put a text in quotes.'} Known: {', '.join(FACTS)}")
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if not isinstance(value, bool):
                return -value
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return [self._literal(part) for part in parts]
        raise self._fault(node, "only comparisons, and, or, not, in, texts, numbers, true, false, null and lists of them are allowed")

    def _compare(self, node: ast.Compare) -> _Test:
        sides = [node.left, *node.comparators]
        for index, sign in enumerate(node.ops):
            if type(sign) not in _SIGNS:
                raise self._fault(node, "write '==' for 'is' and '!=' for 'is not'")
            self._check_kinds(sides[index], sign, sides[index + 1])
            self._note(sides[index], sign, sides[index + 1])
        tests = [self.compile(side) for side in sides]
        if any(_name(side) == "task.type" for side in sides):
            tests = [test if _name(side) else _in_usual_spelling(test) for side, test in zip(sides, tests, strict=True)]
        with_null = [isinstance(side, ast.Constant | ast.Name) and self._literal(side) is None for side in sides]
        steps = [(tests[at], _sign(sign, with_null[at] or with_null[at + 1]), tests[at + 1]) for at, sign in enumerate(node.ops)]
        return lambda facts: all(holds(left(facts), right(facts)) for left, holds, right in steps)

    def _check_kinds(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> None:
        for one, other in ((left, right), (right, left)):
            kind = FACTS.get(_name(one), "")
            if kind == "number" and _is_text(other):
                raise self._fault(other, f"{_name(one)} is a number, but this is a text")
            is_equal = isinstance(sign, ast.Eq | ast.NotEq)
            if is_equal and kind == "text" and isinstance(other, ast.Constant) and isinstance(other.value, int | float):
                raise self._fault(other, f"{_name(one)} is a text: put the value in quotes")
            if _name(one) == "task.type" and (is_equal or (one is left and isinstance(sign, ast.In | ast.NotIn))):
                self._check_classes(other)

    def _check_classes(self, node: ast.expr) -> None:
        for part in node.elts if isinstance(node, ast.List | ast.Tuple) else [node]:
            word = part.value if isinstance(part, ast.Constant) else None
            if isinstance(word, str) and task_class(word) not in TASK_CLASSES:
                near = perhaps(word, (*TASK_CLASSES, *ALIASES)) or "."
                raise self._fault(part, f"'{shown(word)}' is not a class of tasks{near} Classes: {', '.join(TASK_CLASSES)}")

    def _note(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> None:
        """Note the values that a fact is compared with, and whether they distinguish all cases."""
        fact, other = (left, right) if _name(left) else (right, left)
        kind, values = FACTS.get(_name(fact)), self._values(other)
        exact = isinstance(sign, ast.Eq | ast.NotEq) or (fact is left and isinstance(sign, ast.In | ast.NotIn) and not _is_text(other))
        countable = kind in ("number", "flag") or _name(fact) == "task.type" or (kind == "text" and exact)
        if values is None or not (countable or (kind is None and self._values(fact) is not None)):
            self.plain = False
        else:
            self.comparisons.setdefault(_name(fact), []).extend(values)

    def _values(self, node: ast.expr) -> list[Any] | None:
        """The written value or values; None if the node is a fact or a condition."""
        if isinstance(node, ast.Attribute | ast.BoolOp | ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            return None
        value = self._literal(node)
        return value if isinstance(value, list) else [value]


def _known(name: str) -> str:
    """The facts about the same subject; all facts if the subject is unknown."""
    subject = name.partition(".")[0]
    return ", ".join([fact for fact in FACTS if fact.startswith(f"{subject}.")] or FACTS)


def _name(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Attribute) else ""


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _in_usual_spelling(test: _Test) -> _Test:
    """Classes of tasks in their usual spelling, however a rule writes them."""

    def spelled(value: Any) -> Any:
        return [spelled(part) for part in value] if isinstance(value, list) else task_class(value) if isinstance(value, str) else value

    return lambda facts: spelled(test(facts))


def _sign(sign: ast.cmpop, with_null: bool) -> Callable[[Any, Any], bool]:
    compare = _SIGNS[type(sign)]

    def holds(left: Any, right: Any) -> bool:
        if (left is None or right is None) and not with_null:  # an absent fact equals only null
            return False
        try:
            return bool(compare(left, right))
        except TypeError:  # 3 in 5, 'a' < 1: the rule is false; the run has no error
            return False

    return holds

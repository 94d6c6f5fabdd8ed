"""Compiles the conditions of routing rules. A condition can only compare known facts and calculate with them."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mmos.config.arithmetic import (
    DIVISIONS,
    LARGEST,
    OPERATIONS,
    Number,
    calculated,
    fact_number,
    has_facts,
    is_calculation,
    negated,
    number_of,
)
from mmos.config.comparisons import SIGNS, Facts, Side, Test, all_of, any_of, comparison, fact
from mmos.config.facts import ALIASES, FACTS, task_class
from mmos.config.wording import perhaps, shown

__all__ = ["Facts", "Rule", "RuleError", "compile_rule"]

_LONGEST = 1000
_MOST_NODES = 100
MOST_KEPT = 512
"""Compiled conditions that a process keeps: each is wanted by several checks, and by every run."""
_WORDS = {"true": True, "false": False, "null": None}
_CURES = (
    (r"&&", "write 'and' for '&&'"),
    (r"\|\|", "write 'or' for '||'"),
    (r"!(?!=)", "write 'not' for '!'"),
    (r"(?<![=!<>])=(?!=)", "write '==' to compare"),
)


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
    """The values that it compares each fact with, where these values distinguish all cases."""
    opaque: frozenset[str]
    """Its other comparisons, such as `'a' in task.text`: their cases do not follow from written values."""
    _test: Test
    _case: Test

    def evaluate(self, facts: Facts) -> bool:
        """Whether it is true for facts such as `{"task": {"complexity": 8}, "response": {}}`. A comparison with an absent fact is false, never an error."""
        return bool(self._test(facts))

    def holds_in(self, case: Facts) -> bool:
        """The same for an imagined case, in which `case["opaque"]` says which opaque comparisons are true."""
        return bool(self._case(case))


def compile_rule(text: str, classes: Collection[str] | None = None) -> Rule:
    """Compile a condition, once in a process. `classes` are the classes of tasks that it may name; None: any."""
    return _compiled(text, None if classes is None else tuple(classes))


@lru_cache(maxsize=MOST_KEPT, typed=True)
def _compiled(text: str, classes: tuple[str, ...] | None) -> Rule:
    if len(text) > _LONGEST:
        raise RuleError(f"the condition has {len(text)} characters, allowed: at most {_LONGEST}", _LONGEST)
    lead = len(text) - len(text.lstrip())
    source = re.sub(r"[\r\n\t]", " ", text.strip())
    tree = _parse(source, lead)
    compiler = _Compiler(source, lead, classes)
    test = compiler.compile(tree)
    case = _CaseCompiler(source, lead, classes).compile(tree) if compiler.opaque else test
    return Rule(text, frozenset(compiler.names), compiler.comparisons, frozenset(compiler.opaque), test, case)


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
    def __init__(self, source: str, lead: int, classes: Collection[str] | None) -> None:
        self._source = source
        self._lead = lead
        self._classes = classes
        self.names: set[str] = set()
        self.comparisons: dict[str, list[Any]] = {}
        self.opaque: set[str] = set()

    def compile(self, node: ast.expr) -> Test:
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return all_of([self.compile(value) for value in values])
            case ast.BoolOp(values=values):
                return any_of([self.compile(value) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                test = self.compile(operand)
                return lambda facts: not test(facts)
            case ast.Compare():
                return self._compare(node)
            case ast.Attribute():
                return fact(*self._known(node).split("."))
            case ast.BinOp():
                self._calculation(node)
                raise self._fault(node, f"compare the result with a number, like {shown(ast.unparse(node))} > 1")
        literal = self._literal(node)
        return lambda _facts: literal

    def _fault(self, node: ast.expr, message: str) -> RuleError:
        before = self._source.encode()[: node.col_offset].decode(errors="ignore")  # ast counts bytes
        return RuleError(message, self._lead + len(before) + 1)

    def _known(self, node: ast.Attribute) -> str:
        name = ast.unparse(node)
        if name not in FACTS:
            raise self._fault(node, f"'{shown(name)}' is not known{perhaps(name, FACTS) or '.'} Known: {_alike(name)}")
        self.names.add(name)
        return name

    def _literal(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=str() | int() | float() | None as value):
                return value
            case ast.Name(id=word) if word in _WORDS:
                return _WORDS[word]
            case ast.Name(id=word):
                near = perhaps(f"task.{word}", FACTS) or perhaps(word, FACTS)
                raise self._fault(node, f"'{shown(word)}' is not known{near or '; put a text in quotes.'} Known: {', '.join(FACTS)}")
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return [self._literal(part) for part in parts]
        if is_calculation(node) and not has_facts(node):
            value = self._calculation(node)({})
            if value is None:
                raise self._fault(node, f"the result is not a number from -{LARGEST:g} to {LARGEST:g}")
            return value
        raise self._fault(
            node, "only comparisons, and, or, not, in, + - * / // %, texts, numbers, true, false, null and lists of them are allowed"
        )

    def _calculation(self, node: ast.expr) -> Number:
        match node:
            case ast.BinOp(left=left, op=sign, right=right):
                if type(sign) not in OPERATIONS:
                    raise self._fault(node, "only + - * / // % can calculate")
                one, other = self._calculation(left), self._calculation(right)
                if type(sign) in DIVISIONS and not has_facts(right) and other({}) == 0:
                    raise self._fault(right, "nothing can be divided by 0")
                return calculated(one, type(sign), other)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                number = self._calculation(operand)
                return negated(number) if isinstance(sign, ast.USub) else number
            case ast.Attribute() if FACTS.get(self._known(node)) == "number":
                return fact_number(*ast.unparse(node).split("."))
            case ast.Constant(value=int() | float() as value) if number_of(value) is not None:
                return lambda _facts: value
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                raise self._fault(node, f"calculate with numbers from -{LARGEST:g} to {LARGEST:g}")
        raise self._fault(node, f"only numbers can be calculated with, and {shown(ast.unparse(node))} is none")

    def _compare(self, node: ast.Compare) -> Test:
        sides = [node.left, *node.comparators]
        for index, sign in enumerate(node.ops):
            if type(sign) not in SIGNS:
                raise self._fault(node, "write '==' for 'is' and '!=' for 'is not'")
            self._check_kinds(sides[index], sign, sides[index + 1])
        self._note(node)
        with_class = any(_name(side) == "task.type" for side in sides)
        steps = []
        for at, sign in enumerate(node.ops):
            left, right = (self._side(side, spelled=with_class) for side in sides[at : at + 2])
            steps.append(comparison(left, type(sign), right))
        return steps[0] if len(steps) == 1 else all_of(steps)

    def _side(self, node: ast.expr, *, spelled: bool) -> Side:
        """`spelled`: whether classes of tasks get their usual spelling, however a rule writes them."""
        if isinstance(node, ast.Attribute):
            test = fact(*self._known(node).split("."))
            return Side(test)
        if is_calculation(node) and has_facts(node):
            return Side(self._calculation(node))
        if self._values(node) is None:
            return Side(self.compile(node))
        value = self._literal(node)
        return Side(None, _in_usual_spelling(value) if spelled else value)

    def _check_kinds(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> None:
        for one, other in ((left, right), (right, left)):
            kind = FACTS.get(_name(one), "")
            if kind == "number" and _is_text(other):
                raise self._fault(other, f"{_name(one)} is a number, but this is a text")
            if kind == "list" and isinstance(other, ast.Constant) and (one is left or not isinstance(sign, ast.In | ast.NotIn)):
                self._refuse_list(one, other)
            if is_calculation(one) and isinstance(other, ast.Constant | ast.Name) and number_of(self._literal(other)) is None:
                raise self._fault(other, f"{shown(ast.unparse(one))} is a number, but this is not")
            is_equal = isinstance(sign, ast.Eq | ast.NotEq)
            if is_equal and kind == "text" and isinstance(other, ast.Constant) and isinstance(other.value, int | float):
                raise self._fault(other, f"{_name(one)} is a text: put the value in quotes")
            if _name(one) == "task.type" and (is_equal or (one is left and isinstance(sign, ast.In | ast.NotIn))):
                self._check_classes(other)

    def _refuse_list(self, one: ast.expr, other: ast.Constant) -> None:
        """A list never equals one of its parts."""
        if other.value is not None:
            cure = f": write {shown(ast.unparse(other))} in {_name(one)}" if isinstance(other.value, str) else ", but this is not"
            raise self._fault(other, f"{_name(one)} is a list{cure}")

    def _check_classes(self, node: ast.expr) -> None:
        for part in node.elts if isinstance(node, ast.List | ast.Tuple) else [node]:
            word = part.value if isinstance(part, ast.Constant) else None
            if self._classes is not None and isinstance(word, str) and task_class(word) not in self._classes:
                near = perhaps(word, (*self._classes, *ALIASES)) or "."
                raise self._fault(part, f"'{shown(word)}' is not a class of tasks{near} Classes: {', '.join(self._classes)}")

    def _note(self, node: ast.Compare) -> None:
        """Note the values that facts are compared with. If they do not distinguish all cases, the comparison is opaque."""
        sides = [node.left, *node.comparators]
        noted = [self._compared(sides[at], sign, sides[at + 1]) for at, sign in enumerate(node.ops)]
        if any(one is None for one in noted):
            self.opaque.add(ast.unparse(node))
        else:
            for name, values in filter(None, noted):
                self.comparisons.setdefault(name, []).extend(values)

    def _compared(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> tuple[str, list[Any]] | None:
        """A fact with the written values that it is compared with; None if these do not distinguish all cases."""
        side, other = (left, right) if _name(left) else (right, left)
        kind, values = FACTS.get(_name(side)), self._values(other)
        exact = isinstance(sign, ast.Eq | ast.NotEq) or (side is left and isinstance(sign, ast.In | ast.NotIn) and not _is_text(other))
        countable = kind in ("number", "flag") or _name(side) == "task.type" or (kind == "text" and exact)
        if values is None or not (countable or (kind is None and self._values(side) is not None)):
            return None
        return _name(side), values

    def _values(self, node: ast.expr) -> list[Any] | None:
        """The written value or values; None if the node is a fact, a condition or a calculation with facts."""
        if isinstance(node, ast.Attribute | ast.BoolOp | ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            return None
        if is_calculation(node) and has_facts(node):
            return None
        value = self._literal(node)
        return value if isinstance(value, list) else [value]


class _CaseCompiler(_Compiler):
    """Compiles the condition for imagined cases."""

    def _compare(self, node: ast.Compare) -> Test:
        test, text = super()._compare(node), ast.unparse(node)
        return (lambda case: case["opaque"].get(text)) if text in self.opaque else test


def _alike(name: str) -> str:
    """The facts about the same subject; all facts if the subject is unknown."""
    subject = name.partition(".")[0]
    return ", ".join([fact for fact in FACTS if fact.startswith(f"{subject}.")] or FACTS)


def _name(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Attribute) else ""


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _in_usual_spelling(value: Any) -> Any:
    """Classes of tasks in their usual spelling, however a rule writes them."""
    if isinstance(value, list):
        return [_in_usual_spelling(part) for part in value]
    return task_class(value) if isinstance(value, str) else value

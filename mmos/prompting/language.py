"""Renders texts that have conditions or loops: in Jinja's immutable sandbox, and only what surely ends and cannot fail in a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, Template, nodes, pass_context
from jinja2.exceptions import TemplateSyntaxError
from jinja2.filters import do_capitalize, do_indent, do_lower, do_trim, do_upper
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import test_defined

from mmos.errors import UsageError
from mmos.fences import widened
from mmos.prompting.sections import Place

MOST_SOURCE = 100_000
"""Characters of a text that has conditions or loops."""
MOST_MADE = 32 * 1024 * 1024
"""Characters that a text may have when it is filled."""
MOST_LINES = 10_000
"""Lines that one loop goes through."""
MOST_INDENT = 40

_LOOP = {"first": "flag", "last": "flag", "index": "number"}
_VALUES = "\0values"
"""The name of the list of values. No template can write it."""
_VALUE = re.compile("\0([0-9]+)\0")
_BRACES = "write {% raw %} before braces that are plain text, and {% endraw %} after them"

Kind = str
"""What an expression gives: text, number, flag or list."""


class Fault(NamedTuple):
    """What is wrong in a line of a text."""

    line: int
    message: str


class Checked(NamedTuple):
    template: Template | None
    """None: there are faults."""
    uses: Sequence[Place]
    faults: Sequence[Fault]


@lru_cache(maxsize=512)
def check(text: str) -> Checked:
    """Compile a text, and find what it may not contain, branches that are not taken included."""
    uses, faults = list[Place](), list[Fault]()
    try:
        if len(text) > MOST_SOURCE or "\0" in text:
            return Checked(
                None, uses, [Fault(1, f"a text with conditions may have {MOST_SOURCE:,} characters, and none of them may be NUL")]
            )
        tree = _environment().parse(text)
        _Check(uses, faults).statements(tree.body)
        return Checked(None if faults else _environment().from_string(tree), uses, faults)
    except TemplateSyntaxError as error:
        return Checked(None, uses, [Fault(error.lineno, f"{(error.message or 'this cannot be read').rstrip('.')}; {_BRACES}")])
    except (RecursionError, SyntaxError, ValueError, MemoryError):
        return Checked(None, uses, [Fault(1, "this text is nested too deeply, or has a number with too many digits")])


def render(text: str, values: Mapping[str, str]) -> str:
    """Fill a text. Raises `KeyError` if the text has a fault or a place without a value.

    First all values are left out and their places numbered, so that fences and conditions are seen as the text writes them.
    """
    checked = check(text)
    missing = [use.name for use in checked.uses if use.name not in values]
    if checked.template is None or missing:
        raise KeyError(*missing)
    written, parts, length = _Values(), list[str](), 0
    for part in checked.template.generate({**values, _VALUES: written}):
        parts.append(part)
        length += len(part)
        _check_length(length)
    return _VALUE.sub(lambda place: written.texts[int(place[1])], widened("".join(parts), written.texts))


def _check_length(length: int) -> None:
    if length > MOST_MADE:
        raise UsageError(
            f"A text of the prompts has more than {MOST_MADE >> 20} MB when it is filled.",
            next_step="See `mmos prompts diff`: a loop of yours repeats a value too often.",
        )


class _Values:
    """The values that a text writes, in their order."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._length = 0

    def numbered(self, value: Any) -> str:
        """Keep a value, and give its number in place of it."""
        self.texts.append(value if isinstance(value, str) else str(value))
        self._length += len(self.texts[-1])
        _check_length(self._length)
        return f"\0{len(self.texts) - 1}\0" if self.texts[-1] else ""


@pass_context
def _numbered(context: Context, value: Any) -> str:
    """Taking the context keeps Jinja from calling this for constants when it compiles."""
    values: _Values = context.parent[_VALUES]
    return values.numbered(value)


def _lines(value: str) -> list[str]:
    lines = value.splitlines()
    if len(lines) > MOST_LINES:
        raise UsageError(
            f"A loop of the prompts goes through {len(lines):,} lines; {MOST_LINES:,} are possible.",
            next_step="Write the value as a whole instead. `mmos prompts diff` shows your texts.",
        )
    return lines


class _Sandbox(ImmutableSandboxedEnvironment):
    """Values have no attributes, and nothing can be called."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002  # of the base class
        return isinstance(obj, LoopContext) and attr in _LOOP

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002  # of the base class
        return False


@cache
def _environment() -> _Sandbox:
    """Blocks take their whole line with them, so that an empty section leaves no blank line."""
    made = _Sandbox(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True,
        finalize=_numbered, cache_size=0,
    )  # fmt: skip
    made.globals.clear()
    made.tests = {"defined": test_defined}
    made.filters = {
        "trim": do_trim, "upper": do_upper, "lower": do_lower, "capitalize": do_capitalize, "indent": do_indent,
        "length": len, "lines": _lines,
    }  # fmt: skip
    return made


class _Check:
    """Finds out what each expression gives. So an expression that does not fit is found at load, and none can fail in a run."""

    def __init__(self, uses: list[Place], faults: list[Fault]) -> None:
        self._uses, self._faults = uses, faults
        self._target = ""
        """The name that stands for a line, within a loop."""
        self._looped = False

    def statements(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            match node:
                case nodes.Output():
                    for part in node.nodes:
                        self._written(part)
                case nodes.If():
                    self._condition(node)
                case nodes.For():
                    self._loop(node)
                case _:
                    self._fault(node, f"{_name(node)} is not possible in a prompt. Possible: if, elif, else, for, raw and comments")

    def _written(self, node: nodes.Node) -> None:
        if not isinstance(node, nodes.TemplateData) and self._kind(node) in ("flag", "list"):
            self._fault(node, "this is no text; write it with if or for")

    def _condition(self, node: nodes.If) -> None:
        self._kind(node.test)
        self.statements(node.body)
        for other in node.elif_:
            self._condition(other)
        self.statements(node.else_)

    def _loop(self, node: nodes.For) -> None:
        if self._looped or node.test is not None or node.recursive or not isinstance(node.target, nodes.Name):
            self._fault(node, "a loop goes through lines one by one; it has no condition, and no loop within it")
            return
        if self._kind(node.iter) != "list":
            self._fault(node, "a loop goes through lines: write `for line in PLACE|lines`")
        self._looped, self._target = True, node.target.name
        self.statements(node.body)
        self._looped, self._target = False, ""
        self.statements(node.else_)

    def _kind(self, node: nodes.Node) -> Kind:
        match node:
            case nodes.Name(name=name):
                if name != self._target:
                    self._uses.append(Place(node.lineno, name))
                return "text"
            case nodes.Const(value=value):
                return self._constant(node, value)
            case nodes.List():
                return self._texts(node, node.items, "list")
            case nodes.Concat():
                return self._costly(node, self._texts(node, node.nodes, "text"))
            case nodes.Filter():
                return self._costly(node, self._filter(node))
            case nodes.Not() | nodes.And() | nodes.Or() | nodes.CondExpr():
                return self._choice(node)
            case nodes.Compare():
                return self._comparison(node)
            case nodes.Test(name="defined", node=nodes.Name()):
                self._kind(node.node)
                return "flag"
            case nodes.Getattr(node=nodes.Name(name="loop"), attr=attr) if self._looped and attr in _LOOP:
                return _LOOP[attr]
        return self._fault(
            node, f"{_name(node)} is not possible in a prompt: values are texts without attributes, and nothing can be called"
        )

    def _constant(self, node: nodes.Node, value: object) -> Kind:
        if isinstance(value, bool):
            return "flag"
        if isinstance(value, (str, int)):
            return "text" if isinstance(value, str) else "number"
        return self._fault(node, "only texts, whole numbers, true and false are possible")

    def _texts(self, node: nodes.Node, parts: Sequence[nodes.Node], kind: Kind) -> Kind:
        if any(self._kind(part) != "text" for part in parts):
            self._fault(node, "all parts of this must be texts")
        return kind

    def _filter(self, node: nodes.Filter) -> Kind:
        widths = [
            one.value for one in node.args if isinstance(one, nodes.Const) and type(one.value) is int and 0 <= one.value <= MOST_INDENT
        ]
        if node.name not in _environment().filters:
            return self._fault(node, f"there is no filter {node.name}. Possible: {', '.join(_environment().filters)}")
        extra = (
            node.kwargs or node.dyn_args or node.dyn_kwargs or (len(node.args) != len(widths)) or len(node.args) != (node.name == "indent")
        )
        if extra:
            return self._fault(node, f"the filter {node.name} takes {'a width up to 40' if node.name == 'indent' else 'nothing'}")
        if node.node is None or self._kind(node.node) != "text":
            return self._fault(node, f"the filter {node.name} takes a text")
        return {"length": "number", "lines": "list"}.get(node.name, "text")

    def _choice(self, node: nodes.Expr) -> Kind:
        kinds = {self._kind(part) for part in node.iter_child_nodes(exclude=("test",))}
        if isinstance(node, nodes.CondExpr):
            self._kind(node.test)
            if node.expr2 is None:
                self._fault(node, "write the other case, too: `A if B else ''`")
        if isinstance(node, nodes.Not):
            return "flag"
        return kinds.pop() if len(kinds) == 1 else "flag"

    def _comparison(self, node: nodes.Compare) -> Kind:
        left = self._kind(node.expr)
        for operand in node.ops:
            right = self._kind(operand.expr)
            fits = {"eq": left == right, "ne": left == right, "in": left == "text" and right in ("text", "list")}
            fits["notin"] = fits["in"]
            if not fits.get(operand.op, left == right == "number"):
                self._fault(node, f"a {left} cannot be compared with a {right} in this way")
            left = right
        return "flag"

    def _costly(self, node: nodes.Node, kind: Kind) -> Kind:
        """A loop that made a long value anew for each line would take for ever."""
        if self._looped and any(name.name != self._target for name in node.find_all(nodes.Name)):
            self._fault(node, "within a loop, filters are possible only on its own variable")
        return kind

    def _fault(self, node: nodes.Node, message: str) -> Kind:
        lines = (part.lineno for part in (node, *node.find_all(nodes.Node)) if part.lineno)  # some nodes of Jinja have no line
        self._faults.append(Fault(next(lines, 1), message))
        return "text"


def _name(node: nodes.Node) -> str:
    return {"Getattr": "an attribute", "Getitem": "an index", "Call": "a call", "Scope": "'autoescape'"}.get(
        type(node).__name__, f"'{type(node).__name__.lower()}'"
    )

"""Reads calls between tags: from the first tag to the end of the last call."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mmos.calls.marks import CLOSE, HARMONY, NAMED, OPEN
from mmos.calls.markup import pairs
from mmos.calls.naming import Names
from mmos.calls.patience import Misread
from mmos.calls.shapes import Draft, drafts
from mmos.calls.sheet import Sheet
from mmos.calls.values import NAME, Value, read_value

FENCE = re.compile(r"`{3,}+[ \t]*+(?:[\w+.-]*+[ \t]*+(?:\n|(?=[\[{\w])|$)|[\w+.-]*(?=\w))")
_LOOSE = re.compile(
    r"(?:[\s,;]|(?<!`)`{1,2}(?!`)|^(?:[-*•]|\d{1,2}[.)])[ \t]++|^(?:#|//)[^\n]*+$|\w{1,40} = (?=\w)|(?:return|await|yield)\s|(?:and|then|&)\s++(?=[\[{]))*+",
    re.MULTILINE,
)
"""The text between items without tags: list marks, comments, and an assignment or `print` around a call."""
_BETWEEN = re.compile(r"[\s,;]*+(?:\\[nrt](?!\w)[\s,;]*+)*+")
"""Also an escaped line break, which is two characters."""
_PREFIX = re.compile(r"(?:function|tool)?\s*+<[|｜]?tool[▁_]sep[|｜]?>\s*+|call:\s*+")
_JOINT = re.compile(
    r"(?:\s|[:=,]|[-=]>|[*`]*(?:(?:Action|Tool)[ _]Input|Arguments?|Parameters?|Args|Input)[*`]*\s*+:[*`]*|\[CALL_ID\]\s*+[\w-]*+|\[ARGS\]|<[|｜]tool[▁_](?:call_argument_begin|sep)[|｜]>|`{3,}[ \t]*+\w*+)*+(?=\{)"
)
_ELEMENT = re.compile(r"<([A-Za-z_][\w.\-]{0,99})>")
HEADLESS = re.compile(r"""["'](?:name|tool_name|function_name|function|tool)["']\s{0,100}+:\s{0,100}+["'][\w.:/-]{1,100}+["']\s{0,100}+,""")
"""The inside of an object whose first bracket is in the prompt, or missing."""
_NAME_ELEMENT = re.compile(r"\s*+<(name|tool_name|function_name)>\s*+([^<>\n]{1,200}+)\s*+</\1>")
_KIMI = re.compile(r"(?:functions?\.)?[\w.\-]{1,200}+:\d{1,20}+(?=\s{0,100}+<[|｜]tool)")
_TONGUES = ("json", "python", "py", "javascript", "tool_code", "xml", "yaml", "text", "assistant")
_ALONE = re.compile(r"\s*+(?:\Z|(?=<))")


MOST_CALLS = 256
"""Most calls of one reply. With more calls the model repeats itself."""
MOST_PROBLEMS = 20
"""Most problems of one run. After that, the reader stops."""


@dataclass
class Run:
    """Calls that are together, their place in the text, and the problems of some of them."""

    start: int
    end: int
    reached: int = 0
    """The end of the text that was read."""
    drafts: list[Draft] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    tagged: bool = False
    closed: bool = False
    torn: bool = False
    """Whether a call begins here and is not complete."""


class Body:
    """Reads items one after the other, with any tags between them."""

    def __init__(self, sheet: Sheet, names: Names, limit: int) -> None:
        self._sheet = sheet
        self._text = sheet.text
        self._patience = sheet.patience
        self._names = names
        self._limit = limit

    def run(self, start: int) -> Run:
        """The calls from a tag on."""
        run = Run(start, start, tagged=True)
        at, inside, name = start, False, ""
        while at < self._limit and len(run.drafts) < MOST_CALLS and self._patience.lasts():
            after = _past(_BETWEEN, self._text, at, self._limit)
            tag = None if CLOSE.match(self._text, after, self._limit) else OPEN.match(self._text, after, self._limit)
            if tag is not None:
                name, inside, at = _name(tag[0]), True, tag.end()
                run.end = max(run.end, at) if name and not self._item(run, at, name) else run.end
                at, name = (run.end, "") if name else (at, name)
                continue
            if end := CLOSE.match(self._text, after, self._limit) or FENCE.match(self._text, after, self._limit):
                inside = inside and end[0].startswith("`")
                run.closed = run.closed or not end[0].startswith("`")
                at = run.end = end.end()
                continue
            if self._item(run, after, name):
                at, name = run.end, ""
                continue
            if not inside or run.torn or len(run.problems) > MOST_PROBLEMS or not self._skip(run, after, quietly=bool(run.drafts)):
                break
            at, inside = run.end, False
        run.reached = self._limit if len(run.problems) > MOST_PROBLEMS else max(at, run.end)
        if run.torn:
            run.end = run.reached = self._limit
        return run

    def plain(self, start: int) -> Run:
        """The calls from an item without a tag on."""
        run = Run(start, start)
        at = start
        while at < self._limit and len(run.drafts) < MOST_CALLS and self._patience.lasts():
            after = _past(_LOOSE, self._text, at, self._limit)
            if run.drafts and (end := CLOSE.match(self._text, after, self._limit)):
                run.tagged = run.tagged or end[0].startswith(("</", "<|tool", "[/", "<bot_end"))
                at = run.end = end.end()
                continue
            if OPEN.match(self._text, after, self._limit) or not self._item(run, after, ""):
                break
            at = run.end
        if run.torn:
            run.end = self._limit
        return run

    def _skip(self, run: Run, at: int, *, quietly: bool = False) -> bool:
        """Skip a text that cannot be read, up to the tag that ends it."""
        close = self._sheet.tag(CLOSE, at, self._limit)
        opener = self._sheet.tag(OPEN, at, self._limit)
        if quietly and (close is None or (opener and opener.start() < close.start()) or self._text.find("\n\n", at, close.start()) >= 0):
            return False
        stop = min(found.start() for found in (close, opener) if found) if close or opener else self._limit
        if not quietly and (text := self._text[at:stop].strip()):
            run.problems.append(f"what stands in the call tag could not be read: {text[:80]}")
        run.end = stop
        return bool(close or opener)

    def _item(self, run: Run, at: int, name: str) -> bool:
        """Read one object, list, Python call or body of a tag. False: there is none."""
        at = _past(_BETWEEN, self._text, at, self._limit)
        if fence := FENCE.match(self._text, at, self._limit):
            at = fence.end()
        try:
            found, end = self._read(run, at, name)
        except Misread:
            return False
        if not found:
            return False
        run.drafts += found
        run.end = end
        return True

    def _read(self, run: Run, at: int, name: str) -> tuple[list[Draft], int]:
        if name:
            return self._arguments(run, at, name)
        sign = self._text[at : at + 1]
        if sign in "{[(" and sign:
            value = self._value(at)
            return self._with_repairs(run, value, drafts(value.value, self._names, self._patience)), value.end
        if sign in "\"'" and sign and HEADLESS.match(self._text, at, self._limit):
            value = self._value(at, headless=True)
            return self._with_repairs(run, value, drafts(value.value, self._names, self._patience)), value.end
        if sign == "<":
            return self._elements(at)
        return self._python_call(run, at)

    def _value(self, at: int, *, lists_calls: bool = True, headless: bool = False) -> Value:
        return read_value(self._text, at, self._limit, lists_calls=lists_calls, patience=self._patience, headless=headless)

    def _with_repairs(self, run: Run, value: Value, candidates: Iterable[Draft]) -> list[Draft]:
        """The drafts of a value, with the repairs of the value. A value that ends in the middle of a text loses its last call."""
        calls = list(candidates)
        run.repairs += [repair for repair in value.repairs if repair not in run.repairs]
        if value.cut and calls:
            run.repairs.append("missing end")
            if value.torn:
                run.problems.append(f"the call to {calls[-1].name} was cut off")
                run.torn = True
                calls.pop()
        return calls

    def _arguments(self, run: Run, at: int, name: str) -> tuple[list[Draft], int]:
        """The body of a tag that names the tool."""
        at = _past(_BETWEEN, self._text, at, self._limit)
        if self._text[at : at + 1] == "{":
            value = self._value(at, lists_calls=False)
            inner = drafts(value.value, self._names, self._patience)
            if len(inner) == 1 and inner[0].name and self._names.sure(inner[0].name).spec:
                return self._with_repairs(run, value, inner), value.end
            return self._with_repairs(run, value, [Draft(name, value.value)]), value.end + (self._text[value.end : value.end + 1] == ")")
        arguments, end = pairs(self._sheet, at, self._limit)
        return [Draft(name, arguments)], end

    def _elements(self, at: int) -> tuple[list[Draft], int]:
        """`<name>…</name><arguments>…</arguments>`, or `<invoke>` without a name of its own."""
        if (tag := _ELEMENT.match(self._text, at, self._limit)) and self._names.sure(tag[1]).spec:
            fields, end = pairs(self._sheet, tag.end(), self._limit)
            close = re.compile(rf"\s*+</{re.escape(tag[1])}>").match(self._text, end, self._limit)
            return ([Draft(tag[1], fields, shape="a tag of the tool's own name")], close.end()) if close else ([], at)
        name_tag = _NAME_ELEMENT.match(self._text, at, self._limit)
        fields, end = pairs(self._sheet, name_tag.end() if name_tag else at, self._limit)
        name = name_tag[2].strip() if name_tag else str(fields.pop("name", "") or fields.pop("tool_name", "") or fields.pop("function", ""))
        arguments: Any = fields
        if not name:
            return [], at
        for key in ("arguments", "parameters", "input"):
            if key in fields:
                arguments = fields[key]
        return [Draft(name, arguments)], end

    def _python_call(self, run: Run, at: int) -> tuple[list[Draft], int]:
        """`name(…)`, `name{…}`, `name` with its arguments in tags, or only the name."""
        prefix = _PREFIX.match(self._text, at, self._limit)
        at = prefix.end() if prefix else at
        name = _KIMI.match(self._text, at, self._limit) or NAME.match(self._text, at, self._limit)
        if name is None or name[0] in _TONGUES:
            return [], at
        after = name.end()
        if self._text[after : after + 1] == "(":
            value = self._value(at)
            return self._with_repairs(run, value, drafts(value.value, self._names, self._patience)), value.end
        joint = _JOINT.match(self._text, after, self._limit)
        if joint and (run.tagged or self._names.near(name[0]).spec):
            value = self._value(joint.end(), lists_calls=False)
            return self._with_repairs(run, value, [Draft(name[0], value.value)]), value.end
        arguments, end = pairs(self._sheet, after, self._limit)
        if arguments or (_ALONE.match(self._text, after, self._limit) and self._names.near(name[0]).spec):
            return [Draft(name[0], arguments)], end
        if _ALONE.match(self._text, after, self._limit) and "_" in name[0]:
            return [Draft(name[0], {})], after
        return [], at


def _name(tag: str) -> str:
    found = HARMONY.search(tag) if "to=" in tag else NAMED.search(tag)
    return found[1].rstrip("/") if found else ""


def _past(pattern: re.Pattern[str], text: str, at: int, limit: int) -> int:
    found = pattern.match(text, at, limit)
    return found.end() if found else at

"""Which class a failure belongs to: every error of the tree and every code has one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mmos
from mmos.app.answer import RunFailed
from mmos.errors import (
    HostTimeout,
    HostUnreachable,
    LimitReached,
    ModelMissing,
    NoAnswer,
    NoHost,
    OutOfMemory,
    SchemaUnmet,
    ToolDenied,
    ToolError,
    WindowExceeded,
)
from mmos.recovery.classes import CLASSES, class_of, class_of_code, code_of, is_curable, revived
from mmos.recovery.rules import RESTATE, SHORTEN
from mmos.recovery.suggestions import SUGGESTIONS
from mmos.views.document import LIMITS, UNSERVED
from mmos.views.recoveries import OTHER_MODEL


def every(kind: type[mmos.MmosError]) -> Iterator[type[mmos.MmosError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every(below)


def test_every_error_of_the_tree_has_a_class() -> None:
    codes = {kind.code for kind in every(mmos.MmosError) if kind.__module__.startswith("mmos.")} | {RunFailed.code} | LIMITS | UNSERVED
    surely = {"internal", "run_failed", "question_open", "question_unanswered"}
    without = {code for code in codes if class_of_code(code) == "unknown" and code not in surely and not code.startswith("state_")}
    assert (len(codes) > 45, without) == (True, set())


def test_the_page_has_every_class_and_every_cure() -> None:
    page = (Path(__file__).parent.parent / "docs" / "recovery.md").read_text(encoding="utf-8")
    classes = page.partition("## Classes of failures")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", classes, re.MULTILINE))
    assert set(rows) == set(CLASSES)
    assert {code for name in CLASSES for code in re.findall(r"`([a-z_]+)`", rows[name]) if class_of_code(code) != name} == set()
    assert all(f"| `{suggestion}` |" in page for suggestion in SUGGESTIONS)
    assert all(f"`{cure}`" in page for cure in (SHORTEN, RESTATE, OTHER_MODEL))


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (HostTimeout("late"), "transport"),
        (OutOfMemory("full"), "capacity"),
        (WindowExceeded("long"), "window"),
        (ToolError("broken"), "tool"),
        (SchemaUnmet("no JSON"), "schema"),
        (LimitReached("again", limit="loop"), "loop"),
        (NoAnswer("nothing"), "empty"),
        (ToolDenied("no"), "refusal"),
        (ToolError("poor", code="quality"), "quality"),
        (ModelMissing("gone"), "config"),
        (mmos.MmosError("what?"), "unknown"),
        (NoHost("none", said={"a": ModelMissing("gone"), "b": ModelMissing("gone")}), "config"),
        (NoHost("none", said={"a": ModelMissing("gone"), "b": HostUnreachable("off")}), "transport"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_error_has_a_class(error: mmos.MmosError, failure: str) -> None:
    assert class_of(error) == failure
    assert failure in CLASSES


def test_what_is_decided_is_not_cured() -> None:
    stopped = NoAnswer("You ended it.")
    stopped.by_user = True
    final = [
        stopped,
        LimitReached("late", limit="timeout"),
        LimitReached("many", limit="limit_calls"),
        ToolDenied("no"),
        mmos.UsageError("?"),
    ]
    assert not any(map(is_curable, final))
    assert all(map(is_curable, [NoAnswer("x"), LimitReached("x", limit="loop"), NoHost("x"), ToolError("x")]))


@pytest.mark.parametrize("error", [NoHost("a", next_step="b"), WindowExceeded("c"), LimitReached("d", limit="loop"), SchemaUnmet("e")])
def test_an_error_comes_back_from_its_code(error: mmos.MmosError) -> None:
    again = revived(code_of(error), error.message, error.next_step)
    assert (type(again), code_of(again), str(again)) == (type(error), code_of(error), str(error))

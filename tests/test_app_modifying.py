"""Files that models rewrite, each by a run of its own: what counts as an answer, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from mmos.app import RunOptions
from mmos.app.modifying import ModifyOptions, Rewrite, Way, modify
from mmos.rewriting.sources import sources_of
from mmos.testing import Finish, Say, Turn, stage

OLD = "def f(x):\n    return x + 1\n"
NEW = "def f(x: int) -> int:\n    return x + 1\n"
ARBITER = Way("single", RunOptions(strategy="single"))
TWO = {"patterns": {"two": {"pattern": "sequential", "models": [{"role": "coding"}, {"role": "reasoning"}]}}}
BY_TWO = Way("two", RunOptions(pattern="two"))


def block(text: str) -> Turn:
    return [Say(f"```python\n{text}```")]


async def rewritten(
    folder: Path, roles: Mapping[str, list[Turn]], old: str | bytes = OLD, *, ways: tuple[Way, ...] = (ARBITER,), **options: object
) -> Rewrite:
    path = folder / "a.py"
    path.write_bytes(old.encode() if isinstance(old, str) else old)
    async with stage({"arbiter": [], **roles}, orchestration=TWO if "coding" in roles else {}) as on:
        (one,) = await modify(on.app, "add types", sources_of([path], folder), ModifyOptions(ways, **options))  # type: ignore[arg-type]
    assert path.read_bytes() == (old.encode() if isinstance(old, str) else old), "nothing is written"
    return one


async def test_a_file_is_rewritten(tmp_path: Path) -> None:
    one = await rewritten(tmp_path, {"arbiter": [block(NEW)]})
    assert (one.new, one.why, one.notes, len(one.runs), one.is_changed) == (NEW, "", (), 1, True)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([[Say("Types help.")]] * 2, "The answer is not the file"),
        ([["```python\ndef f(x:", Finish("length")]], "cut off by a limit"),
        ([block("def f(x: int -> int:\n    return x\n")] * 2, "does not parse, and the old one does"),
        ([block(NEW.replace("1", "'…→'"))] * 2, "which has no"),
    ],
)
async def test_what_is_no_file_is_refused(tmp_path: Path, answers: list[Turn], why: str) -> None:
    one = await rewritten(tmp_path, {"arbiter": answers}, OLD.encode() + "# é\n".encode("latin-1"))
    assert one.new is None
    assert why in one.why
    assert len(one.runs) == len(answers)


async def test_a_file_that_did_not_parse_may_stay_so(tmp_path: Path) -> None:
    one = await rewritten(tmp_path, {"arbiter": [block("print 'two'\n")]}, "print 'one'\n")
    assert one.new == "print 'two'\n"


async def test_much_that_is_missing_counts_when_the_model_says_it_twice(tmp_path: Path) -> None:
    lines = "".join(f"x{number} = {number}\n" for number in range(20))
    one = await rewritten(tmp_path, {"arbiter": [block("x1 = 1\n")] * 2}, lines)
    assert (one.new, one.notes) == ("x1 = 1\n", ("The answer lacks 19 of the 20 lines of the file.",))


async def test_pipelines_go_on_from_each_other(tmp_path: Path) -> None:
    last = NEW.replace("+ 1", "+ 2")
    roles = {"coding": [block(OLD)], "reasoning": [block(NEW)], "arbiter": [block(last)]}
    one = await rewritten(tmp_path, roles, ways=(BY_TWO, ARBITER))
    assert (one.new, one.way, dict(one.members)) == (last, "two, single", {"coding": OLD, "reasoning": NEW})


async def test_a_member_that_is_no_file_is_shown_as_such(tmp_path: Path) -> None:
    one = await rewritten(tmp_path, {"coding": [[Say("I would add types.")]], "reasoning": [block(NEW)]}, ways=(BY_TWO,))
    assert (one.new, dict(one.members)) == (NEW, {"coding": "", "reasoning": NEW})


async def test_a_rewrite_that_the_checks_dislike_is_refused(tmp_path: Path) -> None:
    bad = OLD + "import os\nos.system(input())\n"
    refused = await rewritten(tmp_path, {"arbiter": [block(bad)]}, validate=True)
    assert refused.new is None
    assert "The checks find a new error" in refused.why
    low = await rewritten(tmp_path, {"arbiter": [block(bad)]}, threshold=0.9)
    assert "0.9 is needed" in low.why
    shown = await rewritten(tmp_path, {"arbiter": [block(bad)]})
    assert (shown.new, shown.after.score < shown.before.score) == (bad, True)

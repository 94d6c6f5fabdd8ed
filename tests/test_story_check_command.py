"""`mmos check -- COMMAND`: a pattern explains a failure, and the exit code is that of the command."""

from __future__ import annotations

import json
from pathlib import Path

from mmos.testing import Say
from tests.shell import shell

FOUND = json.dumps({"cause": "The file is not there.", "evidence": [1], "suggestions": [], "confidence": 0.9, "more": ""})
PATTERNS = {"patterns": {"two": {"pattern": "sequential", "models": [{"role": "coding"}, {"role": "reasoning"}]}}}
COMMAND = ("sh", "-c", "echo 'open: no such file: x.conf' >&2; exit 3")


async def test_a_pattern_explains_a_failure(tmp_path: Path):
    turns = {"arbiter": [], "coding": [[Say("Line 1: the file is missing.")]], "reasoning": [[Say(FOUND)]]}
    async with shell(tmp_path, turns, orchestration=PATTERNS) as on:
        failed = await on.mmos("check", "--pattern", "two", "--json", "--", *COMMAND)
        assert failed.code == 3, failed.err
        assert failed.document["cause"] == "The file is not there."
        assert failed.document["by"].startswith("two (")
        assert "no such file" in failed.err
        assert "Look for the first thing that went wrong" in on.on.heard("coding")[0]
        assert "Line 1: the file is missing." in on.on.heard("reasoning")[0]
        passed = await on.mmos("check", "--", "true")
        assert (passed.code, passed.out, passed.err) == (0, "", "")
        assert (await on.mmos("check")).code == 2


async def test_an_answer_in_prose_is_put_into_form_and_the_usual_pattern_explains(tmp_path: Path):
    turns = {"arbiter": [], "coding": [[Say("The file is missing.")]], "reasoning": [[Say("So it is.")], [Say(FOUND)]]}
    async with shell(tmp_path, turns, orchestration={**PATTERNS, "defaults": {"pattern": "two"}}) as on:
        failed = await on.mmos("check", "--", *COMMAND)
        assert failed.code == 3
        assert "The file is not there." in failed.err, failed.err

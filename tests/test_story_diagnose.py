"""Stories of explained failures: a scripted model reads a log over real HTTP, and what it says is checked against the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.errors import NotFound
from mmos.events import CallFinished, RunStarted
from mmos.testing import Call, facts, stage

LOG = "".join(f"compiling part {number}\n" for number in range(1, 301)) + (
    "Traceback (most recent call last):\n"
    '  File "app/start.py", line 3, in <module>\n'
    "    import yaml\n"
    "ModuleNotFoundError: No module named 'yaml'\n"
    "export API_TOKEN=ghp_abcdefghijklmnopqrstuvwxyz0123456789\n"
    "make: *** [all] Error 1\n"
)
CAUSE = 304


def said(cause: str, *evidence: int, confidence: float = 0.9, **more: Any) -> str:
    return json.dumps({"cause": cause, "evidence": list(evidence), "suggestions": [], "confidence": confidence, "more": "", **more})


GOOD = said(
    "The module 'yaml' is not installed.",
    CAUSE,
    suggestions=[
        {"kind": "command", "text": "Install it.", "command": "pip install pyyaml"},
        {"kind": "ask", "text": "Which Python is it?"},
    ],
    more="the output of pip list",
)


async def test_a_model_explains_a_log_and_mmos_quotes_it(tmp_path: Path) -> None:
    async with stage({"arbiter": [], "reasoning": [GOOD]}, state=tmp_path) as on:
        found = await on.app.diagnose(log=LOG)
        assert (found.cause, found.by, found.confidence) == ("The module 'yaml' is not installed.", "reasoning on here", 0.9)
        assert [(line.number, line.text) for line in found.evidence] == [(CAUSE, "ModuleNotFoundError: No module named 'yaml'")]
        assert [(each.kind, each.text, each.command) for each in found.suggestions] == [
            ("command", "Install it.", "pip install pyyaml"),
            ("ask", "Which Python is it?", ""),
        ]
        assert found.exit_code == 0
        assert found.run is not None
        (started,) = await facts(on.app, found.run, RunStarted)
        assert started.options["role_only"] == "diagnosis"
        for text in (started.task, on.heard("reasoning")[0], found.text(), json.dumps(found.document())):
            assert "ghp_" not in text
        assert f"{CAUSE} | ModuleNotFoundError" in on.heard("reasoning")[0]
        assert {tool["function"]["name"] for tool in on.sent("reasoning")[0]["tools"]} == {"log_search", "log_view"}
        assert "  pip install pyyaml" in found.text()


async def test_the_model_looks_further_in_the_log() -> None:
    looks = [
        [Call("log_search", {"pattern": "part 1(7|9)$"}), Call("log_view", {"first": 303, "last": 305})],
        Call("log_search", {"pattern": "(", "first": 3}),
        Call("log_search", {"pattern": "no such words"}),
        GOOD,
    ]
    async with stage({"arbiter": [], "reasoning": looks}) as on:
        found = await on.app.diagnose(log=LOG)
        assert found.by == "reasoning on here"
        assert found.run is not None
        results = [event.message.content for event in await facts(on.app, found.run, CallFinished)]
        assert "17 | compiling part 17\n19 | compiling part 19" in results
        assert any("[masked]" in result and "ghp_" not in result for result in results)
        assert any(result.startswith("Error: This pattern cannot be used") for result in results)
        assert any("No line from 1 to the end matches" in result for result in results)
        assert on.app.logs == {}


async def test_what_the_log_does_not_support_is_asked_again_once_and_then_dropped() -> None:
    wrong = said("make exited with code 1.", 9999)
    async with stage({"arbiter": [], "reasoning": [wrong, GOOD]}) as on:
        found = await on.app.diagnose(log=LOG)
        assert found.cause == "The module 'yaml' is not installed."
        again = on.heard("reasoning")[1]
        assert "9999" in again
        assert "messenger" in again
        assert len(on.sent("reasoning")) == 2
    stubborn = said("The package `left-pad` was unpublished.", 2, suggestions=[{"kind": "ask", "text": "Who removed it?"}])
    async with stage({"arbiter": [], "reasoning": [wrong, stubborn]}) as on:
        found = await on.app.diagnose(log=LOG)
        assert "left-pad" in on.heard("reasoning")[1] or "9999" in on.heard("reasoning")[1]
        assert (found.by, found.category) == ("rules", found.rules.category)
        assert "left-pad" not in found.text()
        assert "reasoning on here names no cause that the log supports." in found.text()
        assert len(on.sent("reasoning")) == 2


async def test_a_model_that_does_not_know_may_say_so() -> None:
    unknown = said("", confidence=0.0, more="the log of the database")
    async with stage({"arbiter": [], "reasoning": [unknown]}) as on:
        found = await on.app.diagnose(log="step one\nstep two\nstopped\n")
        assert (found.cause, found.by, found.more) == (None, "", "the log of the database")
        assert "The cause is not known." in found.text()
        assert len(on.sent("reasoning")) == 1


async def test_without_a_model_the_rules_and_the_likeliest_lines_remain() -> None:
    async with stage({"arbiter": [], "reasoning": []}) as on:
        found = await on.app.diagnose(log=LOG, options=mmos.RunOptions(roles={"reasoning": "absent"}))
        assert found.reason is not None
        assert (found.category, found.by) == ("IMPORT_ERROR", "rules")
        assert found.evidence[0].number == CAUSE
        assert "make: ***" not in found.text()
        assert found.exit_code == 4
        silent = await on.app.diagnose(log=LOG, rules_only=True)
        assert (silent.category, silent.reason, silent.exit_code) == ("IMPORT_ERROR", None, 0)


async def test_without_a_reasoning_role_the_arbiter_explains() -> None:
    async with stage({"arbiter": [GOOD]}) as on:
        assert (await on.app.diagnose(log=LOG)).by == "arbiter on here"


async def test_the_newest_run_that_failed_is_explained() -> None:
    cause = said("No host has the model `absent`.", 2)
    alone = {"recovery": {"enabled": False}}
    async with stage({"arbiter": [], "reasoning": [cause]}, orchestration=alone) as on:
        with pytest.raises(NotFound, match="No run has failed"):
            await on.app.diagnose()
        answer = await on.app.run("Paint the door.", options=mmos.RunOptions(roles={"arbiter": "absent"}))
        assert answer.status == "failed"
        for run in (None, answer.run, answer.run[-6:]):
            found = await on.app.diagnose(run, rules_only=run is not None)
            assert found.failure.name == answer.run
        heard = on.heard("reasoning")[0]
        assert "Paint the door." in heard
        assert "absent" in heard
        assert "the run ended: failed" in heard


async def test_an_exception_of_a_block_carries_its_diagnosis(tmp_path: Path) -> None:
    cause = said("The file `door.txt` does not exist.", 1)
    async with stage({"arbiter": [], "reasoning": [cause]}) as on:
        with pytest.raises(ValueError, match=r"door\.txt") as raised:
            async with on.app.diagnosing("painting"):
                raise ValueError("door.txt does not exist")
        assert raised.value.diagnosis.cause == "The file `door.txt` does not exist."
        assert "painting: " in raised.value.__notes__[0]
        async with on.app.diagnosing("nothing"):
            pass
        log = tmp_path / "log"
        log.write_text("connect to 10.0.0.5 port 5432: Connection refused\n")
        with pytest.raises(mmos.UsageError) as logged:
            async with on.app.diagnosing("deploying", log=log, rules_only=True):
                raise mmos.UsageError("it broke")
        assert "Connection refused" in logged.value.__notes__[0]
        assert len(on.sent("reasoning")) == 1


async def test_what_a_run_that_passed_printed_too_is_no_cause_for_the_rules(tmp_path: Path) -> None:
    passed = "start\nWARN db: connection refused, once more\nok\n"
    async with stage({"arbiter": []}, state=tmp_path) as on:
        found = await on.app.diagnose(
            log="start\nWARN db: connection refused, once more\nbash: foo: command not found\n", good=passed, rules_only=True
        )
        assert (found.category, [line.number for line in found.evidence][:1]) == ("COMMAND_NOT_FOUND", [3])
        found = await on.app.diagnose(log="start\nWARN db: connection refused, once more\n", good=passed, rules_only=True)
        assert found.category is None

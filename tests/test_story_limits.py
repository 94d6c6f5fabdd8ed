"""Stories of runs that would not end by themselves: a ceiling stops them, with what there is, a reason and the next step; honest work never meets it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import yaml

import mmos
from mmos.app import RunOptions
from mmos.config.init import propose
from mmos.config.load import from_text
from mmos.config.schema import Limits
from mmos.testing import Call, Model, consult, stage
from tests.leaping import leaping
from tests.shell import shell

AGAIN = Model.scripted("arbiter", [lambda prompt: [Call("consult_coding_specialist", {"query": f"Step {prompt.number}?"})]], repeat=True)
CODING = Model.scripted("coding", ["Step done."], repeat=True)


# ---------------------------------------------------------------- the ceiling of a whole run


def test_config_init_writes_out_the_ceiling_that_holds_anyway() -> None:
    written = propose([])
    given = yaml.safe_load(written)["orchestration"]["limits"]
    assert from_text(written, "proposed", {}).orchestration.limits == Limits()
    assert given == {"total_turns": 300, "tokens": 10_000_000, "idle": "30m"}


async def test_an_arbiter_that_never_ends_meets_a_ceiling_though_nobody_set_one(tmp_path: Path) -> None:
    """All that the user raised is turns and calls, and each turn is another."""
    async with shell(tmp_path, {"arbiter": AGAIN, "coding": CODING}, orchestration={"limits": {"turns": 1_000, "calls": 1_000}}) as at:
        ended = await at.mmos("run", "--json", "Work.")
        reason = ended.document["reason"]
        assert (ended.code, ended.document["status"], reason["code"]) == (5, "partial", "limit_total_turns")
        assert ended.document["usage"]["model_calls"] == 300
        assert "raise limits.total_turns" in reason["next"]
        assert "Step done." in ended.document["answer"]


@leaping
async def test_whoever_allows_more_turns_or_calls_allows_the_questions_that_they_take() -> None:
    roles = {"arbiter": [*(Call("consult_coding_specialist", {"query": f"{n}?"}) for n in range(4)), "Done."], "coding": CODING}
    config = {"limits": {"total_turns": 3}}
    async with stage(roles, orchestration=config) as on:
        assert (await on.app.run("Work.", options=RunOptions(max_turns=12))).text == "Done."
    async with stage(roles, orchestration=config) as on:
        assert (await on.app.run("Work.", options=RunOptions(max_calls=12))).text == "Done."


# ---------------------------------------------------------------- a run that no longer gets on


@leaping
async def test_a_tool_that_hangs_ends_the_run_with_its_name() -> None:
    async def build() -> str:
        await asyncio.Event().wait()
        return "never"

    async with stage({"arbiter": [Call("build", {}), "Built."]}, tools=[build], orchestration={"limits": {"idle": 0.2}}) as on:
        answer = await on.app.run("Build it.")
        assert answer.reason is not None
        assert (answer.status, answer.reason.code, answer.exit_code) == ("failed", "stalled", 5)
        assert answer.reason.message == "The run made no progress for 0.2 s. Still at work: build."
        assert f"mmos runs show {answer.run}" in answer.reason.next
        assert "limits.idle" in answer.reason.next


@leaping
async def test_a_model_at_work_is_progress_however_slow_it_is() -> None:
    async with stage({"arbiter": ["Slow."]}, orchestration={"limits": {"idle": 0.1}}) as on:
        on.host.faults.add("late", seconds=0.4)
        assert (await on.app.run("Well?")).text == "Slow."


@leaping
async def test_a_tool_that_has_a_timeout_of_its_own_may_take_it() -> None:
    @mmos.tool(timeout=30)
    async def build() -> str:
        await asyncio.sleep(0.3)
        return "built"

    async with stage({"arbiter": [Call("build", {}), "Built."]}, tools=[build], orchestration={"limits": {"idle": 0.1}}) as on:
        assert (await on.app.run("Build it.")).text == "Built."


@leaping
async def test_a_user_may_think_as_long_as_he_likes() -> None:
    from mmos.app.lifecycle import Watch

    async def think(_question: object) -> str:
        await asyncio.sleep(0.3)
        return "Blue."

    asks = Call("escalate_to_user", {"question": "Which colour?"})
    async with stage({"arbiter": [asks, "Blue it is."]}, orchestration={"limits": {"idle": 0.1}}) as on:
        assert (await on.app.run("Paint.", watch=Watch(answerer=think))).text == "Blue it is."


@leaping
async def test_runs_that_wait_for_a_slot_are_at_work() -> None:
    async with stage(
        {"arbiter": Model.scripted("arbiter", ["So."], repeat=True)}, orchestration={"limits": {"idle": 0.1}}, parallel=1
    ) as on:
        on.host.faults.add("late", seconds=0.3, times=3)
        answers = await asyncio.gather(*(on.app.run(f"{n}?") for n in range(6)))
        assert {answer.text for answer in answers} == {"So."}


@leaping
async def test_a_stalled_run_goes_on_when_it_is_resumed() -> None:
    waits = asyncio.Event()

    @mmos.tool(after_crash="repeat")
    async def build() -> str:
        await waits.wait()
        return "built"

    async with stage({"arbiter": [Call("build", {}), "Built."]}, tools=[build], orchestration={"limits": {"idle": 0.2}}) as on:
        stalled = await on.app.run("Build it.")
        assert stalled.reason is not None
        assert stalled.reason.code == "stalled"
        waits.set()
        assert (await on.app.resume(stalled.run)).text == "Built."


def test_every_limit_stands_in_the_documentation() -> None:
    page = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text()
    section = page.partition("## `limits`")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(Limits.model_fields)


async def test_consultations_side_by_side_share_the_ceiling_of_the_run(tmp_path: Path) -> None:
    """They wait for the journal before their requests, and only then the ceiling counts."""
    roles = {"arbiter": [[consult(f"one{number}") for number in range(4)], "Done."], **{f"one{number}": ["Yes."] for number in range(4)}}
    async with stage(roles, state=tmp_path, orchestration={"limits": {"total_turns": 2}}) as on:
        answer = await on.app.run("Ask all of them.")
        assert answer.reason is not None
        assert answer.reason.code == "limit_total_turns"
        assert sum(len(on.sent(role)) for role in roles) == 2

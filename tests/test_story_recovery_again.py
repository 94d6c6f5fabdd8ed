"""Stories of what is made again by a recovery, and of what must not be: effects, steps, and changes that did not help."""

from __future__ import annotations

import asyncio

import mmos
from mmos.testing import Call, stage
from tests.recovering import EMPTY, approach, gist, read, spoken, suggest, write, written


async def test_effects_of_a_cure_that_did_not_help_stay_in_the_prompt() -> None:
    written.clear()
    roles = {
        "arbiter": [*EMPTY, Call("write", {"path": "a"}), *EMPTY, "Written."],
        "reasoning": [approach("Write it."), approach("Say so.")],
    }
    async with stage(roles, tools=[write]) as on:
        answer = await on.app.run("Write a.")
        assert (answer.text, [helped for *_, helped in gist(answer)], written) == ("Written.", [False, True], ["a"])
        words = spoken(on, "arbiter")
        assert words[-2:] == ["written", "Your last attempt failed. Try another way:\nSay so."]


async def test_after_a_cure_that_did_not_help_nothing_of_it_is_in_the_prompt() -> None:
    right = Call("read", {"path": "right.txt"})
    roles = {"arbiter": [*EMPTY, right, *EMPTY, "Done."], "reasoning": [approach("Read it."), approach("Guess.")]}
    async with stage(roles, tools=[read]) as on:
        assert (await on.app.run("Go.")).text == "Done."
        assert spoken(on, "arbiter") == ["Go.\n\nYour last attempt failed. Try another way:\nGuess."]


async def test_effects_beside_a_loop_are_named_when_the_turn_is_taken_again() -> None:
    written.clear()
    again = Call("read", {"path": "right.txt"})
    roles = {"arbiter": [*[again] * 5, [again, Call("write", {"path": "a"})], "Written."], "reasoning": [approach("Answer.")]}
    async with stage(roles, tools=[read, write], orchestration={"limits": {"repeats": 2}}) as on:
        answer = await on.app.run("Go.")
        assert (answer.text, gist(answer), written) == ("Written.", [("loop", "suggest_alternative_approach", "reasoning", True)], ["a"])
        assert spoken(on, "arbiter")[-1].endswith('Do not make them again:\n- write {"path":"a"}')


async def test_a_change_that_did_not_help_is_no_part_of_the_next_retry() -> None:
    paths: list[str] = []

    @mmos.tool(after_crash="repeat", timeout=5)
    def look(path: str, depth: int) -> str:
        """Look."""
        paths.append(path)
        if len(paths) < 4:
            raise ValueError("not now")
        return "seen"

    call = Call("look", {"path": "a", "depth": "1"})
    retries = [suggest("suggest_retry_with_changes", arguments={"path": "b"}), suggest("suggest_retry_with_changes", timeout=9)]
    async with stage({"arbiter": [call, call, "Done."], "reasoning": retries}, tools=[look]) as on:
        answer = await on.app.run("Look.")
        assert (paths, [helped for *_, helped in gist(answer)]) == (["a", "a", "b", "a"], [False, True])
        assert on.heard("arbiter")[-1] == "seen"


async def test_a_step_of_a_call_is_done_again_only_with_other_arguments() -> None:
    fetched: list[str] = []

    @mmos.tool(timeout=5)
    async def fetch(context: mmos.Context, page: str) -> str:
        """Fetch a page."""
        await context.step("get", lambda: fetched.append(page))
        told = await context.ask("coding", f"Read {page}.", key="reader")
        if len(ids) < 3:
            ids.append(context.effect_id)
            raise ValueError("not now")
        ids.append(context.effect_id)
        return told.text

    ids: list[str] = []
    calls = [Call("fetch", {"page": "a"}), Call("fetch", {"page": "b"})]
    retries = [suggest("suggest_retry_with_changes", timeout=9), suggest("suggest_retry_with_changes", arguments={"page": "c"})]
    roles = {"arbiter": [*calls, "Done."], "coding": ["A.", "B.", "C."], "reasoning": retries}
    async with stage(roles, tools=[fetch]) as on:
        assert (await on.app.run("Fetch it.")).text == "Done."
        assert (fetched, on.heard("arbiter")[-1].splitlines()[-1]) == (["a", "b", "c"], "C.")
        assert (ids[1] == ids[2], ids[3] == f"{ids[2]}@1") == (True, True)


async def test_calls_beside_each_other_do_not_judge_the_recovery_of_another() -> None:
    made: list[str] = []

    @mmos.tool(after_crash="repeat", timeout=0.02)
    async def wait(place: str) -> str:
        """Wait."""
        made.append(place)
        await (asyncio.sleep(0.05) if made.count("a") > 1 else asyncio.Event().wait())
        return "waited"

    a, b, c = (Call("wait", {"place": place}) for place in "abc")
    roles = {"arbiter": [b, [a, c], "Done."], "reasoning": [suggest("suggest_retry_with_changes", timeout=9)]}
    async with stage(roles, tools=[wait]) as on:
        answer = await on.app.run("Wait.")
        assert gist(answer) == [("tool", "suggest_retry_with_changes", "reasoning", True)]
        assert spoken(on, "arbiter")[-2:] == ["waited", "Error: wait did not finish within 0.02 s and was stopped."]


async def test_an_adviser_reads_a_digest_of_an_error_that_is_long() -> None:
    @mmos.tool(after_crash="repeat")
    def build() -> str:
        """Build it."""
        raise ValueError("a line of a log\n" * 1_000 + "no space left on device")

    roles = {"arbiter": [Call("build"), Call("build"), "Done."], "reasoning": [approach("Make room.")]}
    async with stage(roles, tools=[build], orchestration={"arbiter": {"context_window": 65536}}) as on:
        answer = await on.app.run("Build it.")
        assert gist(answer) == [("tool", "suggest_alternative_approach", "reasoning", True)]
        (heard,) = on.heard("reasoning")
        assert (len(heard) < 8_000, "no space left on device" in heard) == (True, True)

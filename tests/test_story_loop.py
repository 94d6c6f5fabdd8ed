"""Stories of the loop: compose, ask, read, execute, append, until an answer or a limit; all over real HTTP."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import mmos
from mmos.app import RunOptions
from mmos.events import CallFinished, CallStarted, LoopNoticed
from mmos.testing import Call, Finish, Model, Think, consult, facts, stage


async def test_a_task_goes_from_ask_through_two_consultations_to_the_answer() -> None:
    arbiter = [[consult("coding"), consult("reasoning")], "Both agree."]
    async with stage({"arbiter": arbiter, "coding": ["Use a loop."], "reasoning": ["It ends."]}) as on:
        answer = await on.app.run("How do I merge two lists?")
        assert (answer.status, answer.text) == ("answered", "Both agree.")
        results = [message for message in on.sent("arbiter")[1]["messages"] if message["role"] == "tool"]
        assert ["Use a loop." in results[0]["content"], "It ends." in results[1]["content"]] == [True, True]
        assert answer.usage["model_calls"] == 4


async def test_calls_of_one_turn_run_side_by_side() -> None:
    meeting = asyncio.Barrier(2)

    async def meet(name: str) -> str:
        """Wait for the other one."""
        await meeting.wait()
        return f"{name} was there"

    async with stage({"arbiter": [[Call("meet", {"name": "A"}), Call("meet", {"name": "B"})], "Met."]}, tools=[meet]) as on:
        async with asyncio.timeout(5):
            answer = await on.app.run("Meet.")
        assert answer.text == "Met."


async def test_results_come_back_in_the_order_of_the_calls_whoever_ends_first() -> None:
    first_may_end = asyncio.Event()

    async def slow() -> str:
        await first_may_end.wait()
        return "slow result"

    async def quick() -> str:
        first_may_end.set()
        return "quick result"

    async with stage({"arbiter": [[Call("slow"), Call("quick")], "Done."]}, tools=[slow, quick]) as on:
        answer = await on.app.run("Go.")
        finished = await facts(on.app, answer.run, CallFinished)
        assert [fact.tool for fact in finished] == ["quick", "slow"]
        assert [message["content"] for message in on.sent("arbiter")[1]["messages"][-2:]] == ["slow result", "quick result"]


async def test_one_run_fans_out_to_eight() -> None:
    meeting = asyncio.Barrier(8)

    async def meet(number: int) -> int:
        await meeting.wait()
        return number

    async with stage({"arbiter": [[Call("meet", {"number": n}) for n in range(8)], "All eight."]}, tools=[meet]) as on:
        async with asyncio.timeout(5):
            answer = await on.app.run("Fan out.")
        assert answer.text == "All eight."
        assert answer.document()["tools"] == [{"name": "meet", "calls": 8, "failed": 0}]


async def test_a_model_without_tools_is_asked_in_schema_mode() -> None:
    arbiter = Model.scripted(
        "arbiter",
        [
            '{"calls": [{"tool": "consult_coding_specialist", "arguments": {"query": "How?"}}]}',
            '{"answer": "Like \\"this\\"."}',
        ],
        capabilities=("completion",),
    )
    tokens: list[str] = []
    async with stage({"arbiter": arbiter, "coding": ["So."]}) as on:
        answer = await on.app.run("How?", on_token=tokens.append)
        assert answer.text == 'Like "this".'
        assert "".join(tokens) == 'Like "this".'
        first, second = on.sent("arbiter")
        assert "tools" not in first
        assert first["format"]["anyOf"]
        assert second["messages"][-1]["role"] == "user"
        assert second["messages"][-1]["content"].startswith("Result of consult_coding_specialist:")


async def test_the_configured_channel_goes_before_what_the_host_says() -> None:
    arbiter = ['{"answer": "By schema."}']
    async with stage({"arbiter": arbiter, "coding": []}, orchestration={"arbiter": {"channel": "schema"}}) as on:
        assert (await on.app.run("Hello.")).text == "By schema."
        assert "format" in on.sent("arbiter")[0]


async def test_a_host_that_refuses_tools_is_asked_in_schema_mode_from_then_on() -> None:
    async with stage({"arbiter": ['{"answer": "One."}', '{"answer": "Two."}'], "coding": []}) as on:
        on.host.faults.add("status", status=400, error="registry.ollama.ai/library/arbiter does not support tools", times=1)
        assert (await on.app.run("Hello.")).text == "One."
        assert (await on.app.run("Hello.")).text == "Two."
        assert ["tools" in body for body in on.sent("arbiter")] == [True, False, False]


async def test_a_configured_channel_that_the_host_refuses_is_an_error() -> None:
    arbiter = Model.scripted("arbiter", ['{"answer": "One."}', '{"answer": "Two."}'], capabilities=("completion",))
    async with stage({"arbiter": arbiter, "coding": []}, orchestration={"arbiter": {"channel": "tools"}}) as on:
        first = await on.app.run("Hello.")
        assert first.status == "failed"
        assert first.reason is not None
        assert first.reason.code == "model_lacks_tools"


# ---------------------------------------------------------------- what models get wrong


async def test_an_invented_tool_comes_back_with_the_list_of_what_exists() -> None:
    async with stage({"arbiter": [Call("consult_coder_specialist", {"query": "?"}), "Sorry."], "coding": []}) as on:
        answer = await on.app.run("Help.")
        heard = on.heard("arbiter")[1]
        assert answer.status == "answered"
        assert "There is no tool named 'consult_coder_specialist'" in heard
        assert "Did you mean consult_coding_specialist?" in heard
        assert "consult_coding_specialist, " in heard


async def test_bad_arguments_come_back_with_what_is_wrong_and_what_is_taken() -> None:
    async with stage({"arbiter": [Call("consult_coding_specialist", {"question": 7}), "Sorry."], "coding": []}) as on:
        await on.app.run("Help.")
        heard = on.heard("arbiter")[1]
        assert "query is missing" in heard
        assert "Arguments it takes: query, context" in heard


async def test_a_failing_tool_is_a_message_and_the_run_goes_on() -> None:
    def explode() -> str:
        raise RuntimeError("no disk")

    async with stage({"arbiter": [Call("explode"), "It failed."]}, tools=[explode]) as on:
        answer = await on.app.run("Explode.")
        assert answer.status == "answered"
        assert on.heard("arbiter")[1] == "Error: explode failed: RuntimeError: no disk"
        assert answer.document()["tools"] == [{"name": "explode", "calls": 1, "failed": 1}]


async def test_a_slow_tool_is_stopped_and_told() -> None:
    stopped = asyncio.Event()

    @mmos.tool(timeout=0.05)
    async def dawdle() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "never"

    async with stage({"arbiter": [Call("dawdle"), "Too slow."]}, tools=[dawdle]) as on:
        answer = await on.app.run("Wait.")
        assert answer.status == "answered"
        assert "did not finish within 0.05 s" in on.heard("arbiter")[1]
        assert stopped.is_set()


async def test_a_failing_specialist_is_told_to_the_arbiter_with_its_reason() -> None:
    async with stage({"arbiter": [consult("coding"), "I go on alone."], "coding": []}) as on:
        on.host.faults.add("status", status=500, error="CUDA error", model="coding")
        answer = await on.app.run("Help.")
        heard = on.heard("arbiter")[1]
        assert answer.status == "answered"
        assert '"success":false' in heard
        assert "CUDA error" in heard


async def test_an_empty_reply_is_set_right_once_more() -> None:
    async with stage({"arbiter": [[Finish("stop")], "Here I am."], "coding": []}) as on:
        answer = await on.app.run("Hello?")
        assert answer.text == "Here I am."
        assert "reply was empty" in on.heard("arbiter")[1]


async def test_a_model_that_never_says_anything_ends_the_run_with_a_reason() -> None:
    async with stage({"arbiter": [[Finish("stop")]] * 5, "coding": []}) as on:
        answer = await on.app.run("Hello?")
        assert (answer.status, answer.reason and answer.reason.code, answer.exit_code) == ("failed", "no_answer", 1)
        assert len(on.sent("arbiter")) == 3


async def test_thinking_is_kept_and_never_sent_back() -> None:
    thinker = Model.scripted("arbiter", [[Think("hm, two"), consult("coding")], "Four."], capabilities=("completion", "tools", "thinking"))
    async with stage({"arbiter": thinker, "coding": ["2+2=4"]}) as on:
        answer = await on.app.run("2+2?")
        assert answer.text == "Four."
        assert "hm, two" not in str(on.sent("arbiter")[1])
        assert "hm, two" in str([entry.event for entry in await on.app.journal.read(run=answer.run)])


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"turns": 2}, "limit_turns"),
        ({"total_turns": 4}, "limit_total_turns"),
        ({"calls": 2}, "limit_calls"),
        ({"tokens": 1500}, "limit_tokens"),
    ],
)
async def test_a_spent_budget_ends_in_what_there_is_and_a_reason(limits: dict, code: str) -> None:
    arbiter = [consult("coding", f"Step {n}?") for n in range(9)]
    async with stage({"arbiter": arbiter, "coding": ["Step done."] * 9}, orchestration={"limits": limits}) as on:
        answer = await on.app.run("Work.")
        assert answer.reason is not None
        assert (answer.reason.code, answer.exit_code) == (code, 5)
        assert answer.status == "partial"
        assert "Step done." in (answer.text or "")


async def test_the_whole_tree_shares_the_budget_of_calls() -> None:
    async def note(text: str) -> str:
        return text

    coding = [[Call("note", {"text": "1"}), Call("note", {"text": "2"})], "Noted."]
    config = {"limits": {"calls": 2}, "specialists": {"coding": {"tools": ["note"]}}}
    async with stage({"arbiter": [consult("coding"), "Fine."], "coding": coding}, tools=[note], orchestration=config) as on:
        answer = await on.app.run("Note twice.")
        assert answer.reason is not None
        assert answer.reason.code == "limit_calls"
        assert len(await facts(on.app, answer.run, CallStarted)) == 2


async def test_seconds_are_a_limit_and_what_had_come_is_kept() -> None:
    async with stage({"arbiter": ["One two three four five six seven."], "coding": []}) as on:
        on.host.faults.add("stall", chunks=3)
        answer = await on.app.run("Count.", options=RunOptions(timeout=0.3))
        assert answer.reason is not None
        assert (answer.status, answer.reason.code, answer.exit_code) == ("partial", "timeout", 5)
        assert (answer.text or "").startswith("One")


async def test_a_host_that_hangs_until_the_timeout_leaves_nothing_open() -> None:
    async with stage({"arbiter": ["Never."], "coding": []}) as on:
        on.host.faults.add("hang")
        answer = await on.app.run("Hello?", options=RunOptions(timeout=0.2))
        assert answer.reason is not None
        assert (answer.status, answer.reason.code, answer.exit_code) == ("failed", "timeout", 5)


async def test_consultations_are_bounded_in_depth() -> None:
    roles = {
        "arbiter": [consult("coding"), "End."],
        "coding": [consult("reasoning"), "I asked."],
        "reasoning": [consult("coding"), "Alone."],
    }
    config = {"limits": {"depth": 2}, "specialists": {name: {"tools": ["consult_*"]} for name in ("coding", "reasoning")}}
    async with stage(roles, orchestration=config) as on:
        answer = await on.app.run("Deep.")
        assert answer.text == "End."
        assert "nested 2 deep" in on.heard("reasoning")[1]


# ---------------------------------------------------------------- loops


async def test_the_loop_guard_nudges_then_withholds_then_asks_the_user() -> None:
    asked = []

    async def answer_user(question: mmos.events.QuestionAsked) -> str:
        asked.append(question)
        return "stop"

    async def poke() -> str:
        return "nothing new"

    from mmos.app.lifecycle import Watch

    async with stage({"arbiter": [Call("poke")] * 9, "coding": []}, tools=[poke], orchestration={"limits": {"repeats": 2}}) as on:
        answer = await on.app.run("Poke.", watch=Watch(answerer=answer_user))
        noticed = await facts(on.app, answer.run, LoopNoticed)
        assert [fact.measure for fact in noticed] == ["nudge", "withhold", "ask"]
        assert "You have made this very call 2 times" in on.heard("arbiter")[3]
        assert "nothing new" in on.heard("arbiter")[3]
        offered = [{tool["function"]["name"] for tool in body["tools"]} for body in on.sent("arbiter")]
        assert ["poke" in names for names in offered] == [True, True, True, True, False, True]
        assert len(asked) == 1
        assert answer.reason is not None
        assert (answer.reason.code, answer.exit_code) == ("loop", 5)


async def test_ping_pong_is_a_loop_too() -> None:
    async def ping() -> str:
        return "pong?"

    async def pong() -> str:
        return "ping?"

    async with stage(
        {"arbiter": [Call("ping"), Call("pong")] * 9, "coding": []}, tools=[ping, pong], orchestration={"limits": {"repeats": 2}}
    ) as on:
        answer = await on.app.run("Play.")
        assert answer.reason is not None
        assert answer.reason.code == "loop"
        assert len(on.sent("arbiter")) < 12


async def test_the_user_may_let_a_loop_go_on() -> None:
    from mmos.app.lifecycle import Watch

    async def answer_user(question: object) -> str:
        return "go on"

    calls = 0

    async def poll() -> str:
        nonlocal calls
        calls += 1
        return f"poll {calls}"

    async with stage(
        {"arbiter": [*[Call("poll")] * 5, "It is ready."], "coding": []}, tools=[poll], orchestration={"limits": {"repeats": 1}}
    ) as on:
        answer = await on.app.run("Poll.", watch=Watch(answerer=answer_user))
        assert answer.text == "It is ready."
        assert calls == 2


async def test_a_repeatable_tool_may_be_called_again_and_again() -> None:
    @mmos.tool(repeatable=True)
    async def clock() -> str:
        return "noon"

    async with stage({"arbiter": [*[Call("clock")] * 6, "Noon."], "coding": []}, tools=[clock]) as on:
        answer = await on.app.run("Time?")
        assert (answer.text, await facts(on.app, answer.run, LoopNoticed)) == ("Noon.", [])


async def test_the_loop_guard_counts_within_a_run() -> None:
    async def poke() -> str:
        return "ok"

    turns = [Call("poke"), Call("poke"), "Done."] * 3
    async with stage({"arbiter": turns, "coding": []}, tools=[poke], orchestration={"limits": {"repeats": 2}}) as on:
        for _ in range(3):
            assert (await on.app.run("Poke twice.", thread="t")).text == "Done."


# ---------------------------------------------------------------- threads


async def test_a_thread_grows_at_its_tail_and_its_prefix_stays_the_same() -> None:
    async with stage({"arbiter": ["One.", consult("coding"), "Two.", "Three."], "coding": ["c"]}) as on:
        for task in ("First?", "Second?", "Third?"):
            await on.app.run(task, thread="t")
        bodies = [body["messages"] for body in on.sent("arbiter")]
        assert all(later[: len(earlier)] == earlier for earlier, later in itertools.pairwise(bodies))
        assert [message["content"] for message in bodies[-1] if message["role"] == "user"] == ["First?", "Second?", "Third?"]


async def test_a_specialist_remembers_its_thread_and_side_by_side_consultations_do_not_mix() -> None:
    arbiter = [[consult("coding", "A?"), consult("coding", "B?")], consult("coding", "C?"), "Done."]
    echo = Model.scripted("coding", [lambda prompt: f"re {prompt.user_text[-2:]}"], repeat=True)
    async with stage({"arbiter": arbiter, "coding": echo}) as on:
        await on.app.run("Go.")
        first, second, third = on.sent("coding")
        assert len(first["messages"]) == len(second["messages"]) == 2
        assert [message["role"] for message in third["messages"]] == ["system", "user", "assistant", "user", "assistant", "user"]


async def test_old_exchanges_leave_when_the_window_is_full_and_that_is_told() -> None:
    turns = [f"Answer {n}: " + "words and more words " * 40 for n in range(12)]
    small = {"arbiter": {"context_window": 2048}}
    async with stage({"arbiter": turns, "analysis": ["Words, and more words."] * 12}, orchestration=small) as on:
        answers = [await on.app.run(f"Question {n}?", thread="t") for n in range(12)]
        assert all(answer.status == "answered" for answer in answers)
        assert any("became a summary by analysis" in warning for answer in answers for warning in answer.view.warnings)
        last = on.sent("arbiter")[-1]["messages"]
        assert last[0]["role"] == "system"
        assert last[-1]["content"] == "Question 11?"
        assert len(last) < 20
        assert all(body["options"]["num_ctx"] == 2048 and body["truncate"] is False for body in on.sent("arbiter"))


async def test_a_task_that_no_window_holds_is_refused_before_it_is_sent() -> None:
    async with stage({"arbiter": ["No."]}, orchestration={"arbiter": {"context_window": 1024}}) as on:
        answer = await on.app.run("word " * 5000)
        assert answer.reason is not None
        assert (answer.status, answer.reason.code) == ("failed", "window_exceeded")
        assert on.sent("arbiter") == []

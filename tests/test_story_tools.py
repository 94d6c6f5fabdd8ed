"""Stories of the tools: specialists, the synthesizer, the user, the user's own functions; all over real HTTP."""

from __future__ import annotations

import asyncio
import datetime
import enum
import sys
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

import mmos
from mmos.events import ArtifactKept
from mmos.testing import Call, Model, consult, stage

LONG = "\n".join(f"{number}. A line of a long answer, with all that belongs to it." for number in range(300))


# ---------------------------------------------------------------- specialists


async def test_a_specialist_gets_the_users_words_beside_the_brief() -> None:
    task = "Why is «x» {{ task }} null?\n\tIndented, with   spaces."
    async with stage({"arbiter": [consult("coding", "Explain the null.", context="Python 3.11"), "ok"], "coding": ["So."]}) as on:
        await on.app.run(task)
        heard = on.heard("coding")[0]
        assert task in heard
        assert "Explain the null." in heard
        assert "Python 3.11" in heard


async def test_a_specialists_result_has_three_fields() -> None:
    thinker = Model.scripted("coding", [["Four."]], capabilities=("completion", "thinking"))
    async with stage({"arbiter": [consult("coding"), "ok"], "coding": thinker}) as on:
        await on.app.run("2+2?")
        assert on.heard("arbiter")[1] == '{"success":true,"response":"Four.","reasoning":""}'


async def test_one_tool_for_all_specialists_where_a_model_does_better_with_one() -> None:
    arbiter = [Call("consult_specialist", {"specialist": "coding", "query": "How?"}), "ok"]
    async with stage({"arbiter": arbiter, "coding": ["So."], "analysis": []}, orchestration={"arbiter": {"consult": "one"}}) as on:
        answer = await on.app.run("How?")
        offered = {tool["function"]["name"] for tool in on.sent("arbiter")[0]["tools"]}
        assert answer.text == "ok"
        assert "consult_specialist" in offered
        assert "consult_coding_specialist" not in offered
        assert "So." in on.heard("arbiter")[1]


async def test_interpreter_and_synthesizer_are_no_specialists_tools() -> None:
    async with stage({"arbiter": ["ok"], "coding": [], "interpreter": [], "synthesizer": []}) as on:
        await on.app.run("Hello.")
        offered = {tool["function"]["name"] for tool in on.sent("arbiter")[0]["tools"]}
        assert offered == {
            "consult_coding_specialist",
            "hand_over",
            "synthesize_responses",
            "reinterpret_with_functiongemma",
            "reinterpret_response",
            "escalate_to_user",
        }


async def test_a_long_answer_travels_as_a_reference_and_reaches_the_user_whole() -> None:
    def cite(prompt: object) -> str:
        reference = next(word for word in prompt.results[0].text.split() if word.startswith("artifact:"))  # type: ignore[attr-defined]
        return f"Here it is:\n{reference.rstrip('.')}\nThat is all."

    async with stage({"arbiter": [consult("coding"), cite], "coding": [LONG]}) as on:
        answer = await on.app.run("Write it all.")
        heard = on.heard("arbiter")[1]
        assert len(LONG) > 6000
        assert len(heard) < 4000
        assert "artifact:" in heard
        assert answer.text == f"Here it is:\n{LONG}\nThat is all."


async def test_a_long_answer_that_nobody_refers_to_reaches_the_user_all_the_same() -> None:
    async with stage({"arbiter": [consult("coding"), "Short."], "coding": [LONG]}) as on:
        answer = await on.app.run("Write it all.")
        assert answer.text is not None
        assert answer.text.startswith("Short.")
        assert LONG in answer.text


async def test_an_answer_that_is_named_a_thousand_times_does_not_grow_without_end() -> None:
    def cite(prompt: object) -> str:
        reference = next(word for word in prompt.results[0].text.split() if word.startswith("artifact:")).rstrip(".")  # type: ignore[attr-defined]
        return f"{reference}\n" * 1000

    async with stage({"arbiter": [consult("coding"), cite], "coding": [LONG]}, orchestration={"limits": {"repetition": True}}) as on:
        answer = await on.app.run("Write it all.")
        assert answer.text is not None
        assert answer.text.startswith(f"{LONG}\n{LONG}\n")  # a second time is no attack
        assert answer.text.rstrip().splitlines()[-1].startswith("artifact:")
        assert len(answer.text) < len(LONG) + 100_000 + 20_000


async def test_the_length_that_travels_whole_is_configurable() -> None:
    config = {"limits": {"answer_chars": 100_000}}
    async with stage({"arbiter": [consult("coding"), "Short."], "coding": [LONG]}, orchestration=config) as on:
        answer = await on.app.run("Write it all.")
        kept = [entry for entry in await on.app.journal.read(run=answer.run) if isinstance(entry.event, ArtifactKept)]
        assert (answer.text, kept) == ("Short.", [])


async def test_a_specialist_may_hold_tools_and_consult_others() -> None:
    async def lookup(word: str) -> str:
        return f"{word} means peace"

    roles = {
        "arbiter": [consult("coding"), "Peace."],
        "coding": [consult("analysis"), "It says peace."],
        "analysis": [Call("lookup", {"word": "paz"}), "paz means peace"],
    }
    config = {"specialists": {"coding": {"tools": ["consult_analysis_specialist"]}, "analysis": {"tools": {"allow": ["lookup"]}}}}
    async with stage(roles, tools=[lookup], orchestration=config) as on:
        answer = await on.app.run("paz?")
        assert answer.text == "Peace."
        assert on.heard("analysis")[1] == "paz means peace"
        assert answer.usage["model_calls"] == 6


async def test_permissions_hold_per_role() -> None:
    async def wipe() -> str:
        raise AssertionError("never called")

    arbiter = [Call("wipe"), "I may not."]
    async with stage({"arbiter": arbiter, "coding": []}, tools=[wipe], orchestration={"arbiter": {"tools": {"deny": ["wipe"]}}}) as on:
        answer = await on.app.run("Wipe.")
        assert "wipe" not in {tool["function"]["name"] for tool in on.sent("arbiter")[0]["tools"]}
        assert "arbiter may not use wipe" in on.heard("arbiter")[1]
        assert answer.text == "I may not."


async def test_a_specialist_that_takes_too_long_is_told_to_the_arbiter() -> None:
    config = {"specialists": {"coding": {"timeout": 0.1}}}
    async with stage({"arbiter": [consult("coding"), "Without it, then."], "coding": ["late"]}, orchestration=config) as on:
        on.host.faults.add("hang", model="coding")
        answer = await on.app.run("Hurry.")
        assert answer.text == "Without it, then."
        assert "coding did not answer within 0.1 s" in on.heard("arbiter")[1]


# ---------------------------------------------------------------- synthesis


async def test_the_synthesizer_gets_every_answer_of_the_run_whole() -> None:
    arbiter = [[consult("coding"), consult("analysis")], Call("synthesize_responses", {"instruction": "Be brief."}), "Final."]
    roles = {"arbiter": arbiter, "coding": [LONG], "analysis": ["Short view."], "synthesizer": ["Both in one."]}
    async with stage(roles) as on:
        answer = await on.app.run("Compare.")
        heard = on.heard("synthesizer")[0]
        assert LONG in heard
        assert "Short view." in heard
        assert "Be brief." in heard
        assert "Compare." in heard
        assert "Both in one." in on.heard("arbiter")[2]
        assert (answer.text or "").startswith("Final.")


async def test_without_a_synthesizer_the_arbiters_model_does_it() -> None:
    arbiter = [consult("coding"), Call("synthesize_responses"), "In one.", "Final."]
    async with stage({"arbiter": arbiter, "coding": ["A."]}) as on:
        assert (await on.app.run("Compare.")).text == "Final."
        assert "synthesizer" in on.sent("arbiter")[2]["messages"][0]["content"]


async def test_synthesis_of_nothing_is_an_error_the_model_can_act_on() -> None:
    async with stage({"arbiter": [Call("synthesize_responses"), "ok"], "coding": []}) as on:
        await on.app.run("Go.")
        assert "consult specialists first" in on.heard("arbiter")[1]


# ---------------------------------------------------------------- functions


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


async def test_functions_get_what_their_annotations_say() -> None:
    seen: list[object] = []

    @mmos.tool
    def book(day: datetime.date, seats: Annotated[int, Field(ge=1, description="How many")], colour: Colour = Colour.RED) -> dict:
        """Book seats.

        More text that no model needs.
        """
        seen.extend([day, seats, colour])
        return {"booked": seats, "on": day}

    async with stage({"arbiter": [Call("book", {"day": "2026-01-02", "seats": 2, "colour": "blue"}), "ok"]}, tools=[book]) as on:
        await on.app.run("Book.")
        offered = next(tool["function"] for tool in on.sent("arbiter")[0]["tools"] if tool["function"]["name"] == "book")
        assert seen == [datetime.date(2026, 1, 2), 2, Colour.BLUE]
        assert on.heard("arbiter")[1] == '{"booked":2,"on":"2026-01-02"}'
        assert offered["description"] == "Book seats."
        assert offered["parameters"]["required"] == ["day", "seats"]
        assert offered["parameters"]["properties"]["seats"] == {"description": "How many", "minimum": 1, "type": "integer"}
    assert book(datetime.date(2026, 1, 2), 1) == {"booked": 1, "on": datetime.date(2026, 1, 2)}


async def test_a_sync_function_does_not_hold_up_the_others() -> None:
    loop = asyncio.get_running_loop()
    released = asyncio.Event()

    def blocking() -> str:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(5)
        return "released"

    async def release() -> str:
        released.set()
        return "ok"

    async with stage({"arbiter": [[Call("blocking"), Call("release")], "Both."]}, tools=[blocking, release]) as on:
        assert (await on.app.run("Go.")).text == "Both."
        assert [message["content"] for message in on.sent("arbiter")[1]["messages"][-2:]] == ["released", "ok"]


async def test_a_function_may_ask_for_its_context() -> None:
    async def who(context: mmos.Context) -> str:
        return f"{context.scope.role} on «{context.task}»"

    async with stage({"arbiter": [Call("who"), "ok"]}, tools=[who]) as on:
        await on.app.run("Who?")
        assert on.heard("arbiter")[1] == "arbiter on «Who?»"


async def test_functions_come_from_the_configurations_folder(tmp_path: Path) -> None:
    (tmp_path / "our_tools_for_the_story.py").write_text("def shout(text: str) -> str:\n    return text.upper()\n")
    async with stage({"arbiter": [Call("shout", {"text": "hi"}), "ok"]}) as on:
        config = tmp_path / "orchestration.yaml"
        url = on.host.url
        config.write_text(
            "orchestration:\n"
            f"  servers: {{here: {{url: '{url}'}}}}\n"
            "  arbiter: {model: arbiter, server: here}\n"
            "  tools: ['our_tools_for_the_story:shout']\n"
        )
        try:
            async with mmos.open(config) as app:
                assert (await app.run("Shout.")).text == "ok"
        finally:
            sys.path.remove(str(tmp_path))
        assert on.heard("arbiter")[1] == "HI"


async def test_functions_come_from_installed_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packaged_for_the_story.py").write_text("def whisper(text: str) -> str:\n    return text.lower()\n")
    metadata = tmp_path / "packaged_for_the_story-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: packaged-for-the-story\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[mmos.tools]\nwhisper = packaged_for_the_story:whisper\n")
    monkeypatch.syspath_prepend(tmp_path)
    async with stage({"arbiter": [Call("whisper", {"text": "HI"}), "ok"]}) as on:
        assert (await on.app.run("Whisper.")).text == "ok"
        assert on.heard("arbiter")[1] == "hi"


async def test_a_function_that_cannot_be_found_is_an_error_of_the_configuration() -> None:
    with pytest.raises(mmos.ConfigError, match="no_such_module_at_all:f"):
        async with stage({"arbiter": []}, orchestration={"tools": ["no_such_module_at_all:f"]}):
            raise AssertionError("not reached")


async def test_two_tools_of_one_name_are_an_error_of_the_configuration() -> None:
    def escalate_to_user(question: str) -> str:
        return question

    with pytest.raises(mmos.ConfigError, match="two tools are named 'escalate_to_user'"):
        async with stage({"arbiter": []}, tools=[escalate_to_user]):
            raise AssertionError("not reached")

"""Stories of the cache of answers, over rehearsal hosts: when a model is spared, and when it is asked all the same."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.app import RunOptions
from mmos.cache.shelf import FILE
from mmos.events import ModelAsked, ModelReplied
from mmos.testing import Model, Stage, consult, facts, stage

EXACT = {"cache": {"exact": True}}


def counting(name: str = "arbiter") -> Model:
    """A model that gives another answer each time."""
    return Model.scripted(name, [f"Answer {number} of {name}." for number in range(1, 30)])


@asynccontextmanager
async def cached(
    state: Path | None = None, *, roles: dict[str, Any] | None = None, tools: Any = (), **changes: Any
) -> AsyncIterator[Stage]:
    async with stage(roles or {"arbiter": counting()}, orchestration={**EXACT, **changes}, state=state, tools=tools) as on:
        yield on


async def test_the_same_task_is_answered_from_the_cache_also_by_another_process(tmp_path: Path) -> None:
    async with cached(tmp_path) as on:
        first, pieces = await on.app.run("What is a mutex?"), list[str]()
        again = await on.app.run("What is a mutex?", on_token=pieces.append)
        assert (first.text, again.text, "".join(pieces), len(on.sent("arbiter"))) == ("Answer 1 of arbiter.",) * 3 + (1,)
        document = again.document()
        assert (document["usage"]["cached"], document["usage"]["model_calls"], document["usage"]["prompt_tokens"]) == (1, 1, 0)
        assert [(role["role"], role["host"]) for role in document["roles"]] == [("arbiter", "cache")]
        (reply,) = await facts(on.app, again.run, ModelReplied)
        assert (reply.cached, reply.placement["cached"], reply.placement["of"], reply.placement["run"]) == (
            True,
            "exact",
            "here",
            first.run,
        )
        assert first.document()["usage"]["cached"] == 0
    async with cached(tmp_path) as on:
        assert (await on.app.run("What is a mutex?")).text == "Answer 1 of arbiter."
        assert on.sent("arbiter") == []


async def test_without_the_key_nothing_is_kept(tmp_path: Path) -> None:
    async with stage({"arbiter": counting()}, state=tmp_path) as on:
        texts = [(await on.app.run("What is a mutex?")).text for _ in range(2)]
        assert texts == ["Answer 1 of arbiter.", "Answer 2 of arbiter."]
    assert not (tmp_path / FILE).exists()


async def test_a_specialist_is_spared_and_the_arbiter_decides_each_time() -> None:
    roles = {"arbiter": Model.scripted("arbiter", [consult("coding", "So?"), "Done."] * 3), "coding": counting("coding")}
    async with cached(roles=roles) as on:
        first, again = [await on.app.run("How?") for _ in range(2)]
        assert (len(on.sent("coding")), len(on.sent("arbiter"))) == (1, 3)  # the last words of the arbiter are kept, its call is not
        assert [document["usage"]["cached"] for document in (first.document(), again.document())] == [0, 2]


@mmos.tool(after_crash="repeat")
def weather() -> str:
    """Say what the weather is."""
    return "It rains."


async def test_a_model_that_could_look_at_something_is_always_asked() -> None:
    async with cached(tools=[weather]) as on:
        texts = {(await on.app.run("How is it outside?")).text for _ in range(2)}
        assert len(texts) == 2
        assert len(on.sent("arbiter")) == 2


async def test_calls_and_what_was_repaired_or_cut_off_are_never_kept() -> None:
    call = '{"name": "consult_coding_specialist", "arguments": {"query": "So?"}}'
    roles = {"arbiter": Model.scripted("arbiter", [call, "Done."] * 3), "coding": counting("coding")}
    async with cached(roles=roles) as on:
        for _ in range(2):
            await on.app.run("How?")
        assert len(on.sent("arbiter")) == 3
    async with cached(arbiter={"options": {"num_predict": 1}}) as on:
        for _ in range(2):
            await on.app.run("Tell a long story.")
        assert len(on.sent("arbiter")) == 2


@pytest.mark.parametrize(
    ("options", "asked"),
    [({"temperature": 0.9}, 2), ({"temperature": 0.9, "seed": 7}, 1), ({"temperature": 0.0}, 1), ({"temperature": 0.3}, 1)],
)
async def test_sampling_that_wants_variety_asks_the_model(options: dict[str, Any], asked: int) -> None:
    async with cached(arbiter={"options": options}) as on:
        for _ in range(2):
            await on.app.run("What is a mutex?")
        assert len(on.sent("arbiter")) == asked


async def test_other_options_instructions_and_histories_are_other_requests() -> None:
    async with cached() as on:
        options = [RunOptions(), RunOptions(system="Be brief."), RunOptions(sampling={"top_k": 3}), RunOptions(model="arbiter")]
        for one in options:
            await on.app.run("What is a mutex?", options=one)
        await on.app.run("What is a mutex?", thread="t")
        await on.app.run("What is a mutex?", thread="t")
        assert len(on.sent("arbiter")) == len(options) + 1


async def test_a_retry_a_fork_and_a_second_question_of_one_run_get_a_new_answer(tmp_path: Path) -> None:
    async with cached(tmp_path) as on:
        first = await on.app.run("Why?")
        anew = await on.app.run("Why?", options=RunOptions(cache=False))
        assert [first.text, anew.text] == ["Answer 1 of arbiter.", "Answer 2 of arbiter."]
        assert (await on.app.run("Why?")).text == "Answer 2 of arbiter."  # the newer one is kept
        fork = await on.app.fork(first.run)
        assert (await on.app.resume(fork.run)).text == "Answer 3 of arbiter."
    twice = [consult("coding", "So?"), consult("coding", "So?"), "Done."]
    async with cached(roles={"arbiter": twice, "coding": counting("coding")}) as on:
        await on.app.run("How?")
        assert len(on.sent("coding")) == 2


async def test_the_same_tasks_at_once_ask_once() -> None:
    async with cached() as on:
        on.host.faults.add("late", model="arbiter", times=1, seconds=0.2)
        answers = [answer async for _, answer in on.app.batch(["Why?"] * 5, concurrency=5)]
        assert {answer.text for answer in answers} == {"Answer 1 of arbiter."}
        assert len(on.sent("arbiter")) == 1


async def test_who_waits_for_a_request_that_is_cancelled_asks_itself() -> None:
    async with cached() as on:
        on.host.faults.add("late", model="arbiter", times=1, seconds=5.0)
        first = asyncio.create_task(on.app.run("Why?"))
        while not on.sent("arbiter"):
            await asyncio.sleep(0.005)
        second = asyncio.create_task(on.app.run("Why?"))
        await asyncio.sleep(0.05)
        first.cancel()
        assert (await second).text
        assert len(on.sent("arbiter")) == 2


async def test_answers_come_while_the_host_is_down(tmp_path: Path) -> None:
    async with cached(tmp_path) as on:
        await on.app.run("Why?")
        config = on.config
    async with mmos.open(config, state=tmp_path) as app:  # its host has gone
        answer = await app.run("Why?")
        assert (answer.status, answer.text) == ("answered", "Answer 1 of arbiter.")
        assert (await app.run("Why not?")).status == "failed"


@pytest.mark.parametrize("said", ["1", "[]", "[1, 2]", '["d", [1]]', '{"here": 1}', "nonsense"])
async def test_strange_notes_of_models_harm_no_run(tmp_path: Path, said: str) -> None:
    async with cached(tmp_path) as on:
        await on.app.run("Why?")
        config = on.config
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("UPDATE models SET data = ?", (said.encode(),))
    async with mmos.open(config, state=tmp_path) as app:  # its host has gone
        answer = await app.run("Why?")
        assert answer.status == "failed"
        assert answer.reason is not None
        assert answer.reason.code == "host_unreachable"


async def test_a_host_that_no_longer_has_the_model_gives_no_kept_answer(tmp_path: Path) -> None:
    async with cached(tmp_path) as on:
        await on.app.run("Why?")
    async with stage({"arbiter": Model("other")}, orchestration=EXACT) as on:
        on.config["orchestration"]["arbiter"]["model"] = "arbiter"
        async with mmos.open(on.config, state=tmp_path) as app:
            assert (await app.run("Why?")).status == "failed"


async def test_a_model_that_was_replaced_is_asked(tmp_path: Path) -> None:
    for digest, text in (("1" * 64, "Old."), ("2" * 64, "New."), ("1" * 64, "Old.")):
        model = replace(Model.scripted("arbiter", [text]), blob=digest)
        async with cached(tmp_path, roles={"arbiter": model}) as on:
            assert (await on.app.run("Why?")).text == text


async def test_a_damaged_file_costs_one_warning_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nonsense" * 1000)
    async with cached(tmp_path) as on:
        answers = [await on.app.run("Why?") for _ in range(2)]
        assert [answer.text for answer in answers] == ["Answer 1 of arbiter.", "Answer 2 of arbiter."]
        assert [len(answer.document()["warnings"]) for answer in answers] == [1, 0]
        assert answers[0].document()["warnings"][0].startswith("MMOS goes on without the cache of answers. ")


async def test_a_kept_answer_counts_for_no_limit_and_an_answer_with_a_schema_is_kept_only_if_it_fits() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    async with cached(roles={"arbiter": Model.scripted("arbiter", ['{"b": 1}', '{"a": 1}', '{"a": 2}', '{"a": 3}'])}) as on:
        answers = [await on.app.run("One?", options=RunOptions(model="arbiter", schema=schema)) for _ in range(3)]
        assert [answer.data for answer in answers] == [{"a": 1}, {"a": 2}, {"a": 2}]


async def test_a_run_of_kept_answers_can_be_replayed_and_shows_the_same_requests(tmp_path: Path) -> None:
    async with cached(tmp_path) as on:
        await on.app.run("Why?")
        again = await on.app.run("Why?")
        assert (await on.app.replay(again.run)).same
        assert len(await facts(on.app, again.run, ModelAsked)) == 1


async def test_a_request_in_other_words_gets_the_answer_only_if_it_asks_the_same() -> None:
    embedder = Model("nomic-embed-text", capabilities=("embedding",))
    semantic = {"cache": {"semantic": True, "threshold": 0.5}}
    async with stage({"arbiter": counting(), "embedder": embedder}, orchestration=semantic) as on:
        await on.app.run("Explain port 8080.")
        alike = await on.app.run("Could you please explain the port 8080?")
        assert alike.document()["usage"]["cached"] == 1
        (reply,) = await facts(on.app, alike.run, ModelReplied)
        assert reply.placement["cached"] == "alike"
        assert (await on.app.run("Explain port 8081.")).document()["usage"]["cached"] == 0


async def test_without_its_embedding_model_texts_are_not_compared() -> None:
    async with stage({"arbiter": counting()}, orchestration={"cache": {"semantic": True}}) as on:
        await on.app.run("Explain port 8080.")
        answer = await on.app.run("Please explain port 8080.")
        assert answer.text == "Answer 2 of arbiter."
        assert answer.document()["warnings"][0].startswith("The cache compares no texts. nomic-embed-text: ")
        assert (await on.app.run("Explain port 8080.")).document()["usage"]["cached"] == 1


async def test_a_comparison_asks_its_models() -> None:
    async with cached(roles={"arbiter": counting(), "coding": counting("coding")}) as on:
        for _ in range(2):
            await on.app.compare(["arbiter", "role:coding"], ["Why?"], judge="role:coding")
        assert len(on.sent("arbiter")) == 2


async def test_a_scripted_answer_is_never_given_to_a_real_request(tmp_path: Path) -> None:
    async with cached(tmp_path) as on:
        async with mmos.open(on.config, state=tmp_path, rehearsed=True) as app:
            assert (await app.run("Why?")).text == "Answer 1 of arbiter."
            assert (await app.run("Why?")).text == "Answer 1 of arbiter."
        config = on.config
        assert (await on.app.run("Who?")).text == "Answer 2 of arbiter."
        assert (await on.app.run("Why?")).text == "Answer 3 of arbiter."
    async with mmos.open(config, state=tmp_path, rehearsed=True) as app:
        assert (await app.run("Who?")).status == "failed"  # its host has gone, and only the other world has an answer

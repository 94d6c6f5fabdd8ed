"""Stories of those who answer without the arbiter: one specialist, or one model without any role."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from mmos.app import RunOptions
from mmos.cli.chat.input import ChatCompleter
from mmos.cli.chat.session import split_role
from mmos.errors import UsageError
from mmos.testing import Call, stage
from tests.shell import shell
from tests.terminal import terminal

ROLES = ["arbiter", "coding", "my.role"]


# ---------------------------------------------------------------- one specialist


async def test_a_specialist_answers_alone_and_remembers_what_it_said(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["never"], "coding": ["One.", "Two."]}) as at:
        first = await at.mmos("run", "--role-only", "coding", "--thread", "t", "--json", "Sort it.")
        assert (first.code, first.document["answer"], [use["role"] for use in first.document["roles"]]) == (0, "One.", ["coding"])
        second = await at.mmos("run", "--role-only", "coding", "--thread", "t", "--system", "In Rust.", "And now?")
        assert (second.code, second.out) == (0, "Two.\n")
        system, *rest = (message["content"] for message in at.on.sent("coding")[1]["messages"])
        assert rest == ["Sort it.", "One.", "And now?"]
        assert ("coding specialist" in system, system.endswith("In Rust.")) == (True, True)
        assert not at.on.sent("arbiter")


async def test_a_specialist_alone_has_the_tools_of_its_role() -> None:
    def add(one: int, other: int) -> int:
        """Add two numbers."""
        return one + other

    rules = {"specialists": {"coding": {"tools": {"allow": ["add"]}}}}
    roles = {"arbiter": ["never"], "coding": [Call("add", {"one": 1, "other": 2}), "Three."], "analysis": ["Plain."]}
    async with stage(roles, tools=[add], orchestration=rules) as on:
        assert (await on.app.run("1 + 2?", options=RunOptions(role_only="coding"))).text == "Three."
        assert [tool["function"]["name"] for tool in on.sent("coding")[0]["tools"]] == ["add"]
        assert (await on.app.run("1 + 2?", options=RunOptions(role_only="analysis"))).text == "Plain."
        assert "tools" not in on.sent("analysis")[0]


async def test_a_role_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["never"], "coding": ["never"]}) as at:
        ended = await at.mmos("run", "--role-only", "codign", "Hi.")
        assert ended.code == 2
        assert "There is no role 'codign'; did you mean 'coding'?" in ended.err
        assert "There are: arbiter, coding" in ended.err


async def test_a_specialist_alone_does_not_mind_who_else_is_missing(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["never"], "coding": ["One."]}) as at:
        ended = await at.mmos("run", "--role-only", "coding", "--role", "arbiter=gone", "Sort it.")
        assert (ended.code, ended.out, ended.err) == (0, "One.\n", "")


# ---------------------------------------------------------------- one model


async def test_a_model_answers_alone_and_hears_nothing_but_the_user(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["never"], "coding": ["One.", "Two."]}) as at:
        ended = await at.mmos("run", "--model", "coding@here", "--thread", "t", "--json", "Sort it.")
        use = ended.document["roles"][0]
        assert (ended.code, use["role"], use["model"], use["host"]) == (0, "model", "coding", "here")
        assert (await at.mmos("run", "--model", "coding", "--thread", "t", "--system", "In Rust.", "And now?")).out == "Two.\n"
        bare, told = at.on.sent("coding")
        assert (bare["messages"], "tools" in bare) == ([{"role": "user", "content": "Sort it."}], False)
        assert [message["content"] for message in told["messages"]] == ["In Rust.", "Sort it.", "One.", "And now?"]


async def test_a_model_alone_keeps_the_window_that_its_host_has_loaded_it_with() -> None:
    wide = {"specialists": {"coding": {"context_window": 16384}}}
    async with stage({"arbiter": ["never"], "coding": ["One."], "spare": ["Two."]}, orchestration=wide) as on:
        for model in ("coding", "spare"):
            await on.app.run("Hi.", options=RunOptions(model=model))
        assert [on.sent(model)[0]["options"]["num_ctx"] for model in ("coding", "spare")] == [16384, 8192]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "x@nowhere"], "There is no host 'nowhere'; hosts: here."),
        (["--model", "@here"], "names no model"),
        (["--model", "x", "--role-only", "coding"], "`model` asks x without any role"),
        (["--model", "x", "--role", "coding=y"], "`model` asks x without any role"),
    ],
)
async def test_a_model_that_cannot_be_asked_alone_is_refused(tmp_path: Path, words: list[str], said: str) -> None:
    async with shell(tmp_path, {"arbiter": ["never"]}) as at:
        ended = await at.mmos("run", *words, "Hi.")
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err


async def test_a_model_that_no_host_has_is_4(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["never"]}) as at:
        assert (await at.mmos("run", "--model", "nope", "Hi.")).code == 4


async def test_without_a_configuration_a_model_of_this_machine_answers_alone(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One."]}) as at:
        (tmp_path / "orchestration.yaml").unlink()
        assert (await at.mmos("run", "--rehearse", "--model", "qwen2.5:14b@ollama01", "What is 17 * 23?")).out.startswith("17 * 23 = 391")


async def test_a_run_is_resumed_by_who_began_it() -> None:
    async with stage({"arbiter": ["never"], "coding": ["One.", "Two."]}) as on:
        for options in (RunOptions(role_only="coding"), RunOptions(model="coding")):
            on.host.faults.add("refuse")
            failed = await on.app.run("Hi.", options=options)
            on.host.faults.clear()
            answer = await on.app.resume(failed.run, options=RunOptions(timeout=60))
            assert (failed.status, answer.status) == ("failed", "answered")
            assert [use.role for use in answer.view.roles.values()] == [options.answering]


# ---------------------------------------------------------------- in chat


async def test_a_line_may_be_for_one_role(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["I am the arbiter."], "coding": ["One.", "Two.", "Three."]}) as at:
        lines = b"@coding Sort it.\n/retry\n@codign Hi.\n@coding\nme@example.org asks.\n"
        ended = await at.mmos("chat", "--thread", "t", given=lines)
        assert (ended.code, ended.out) == (2, "One.\nTwo.\nI am the arbiter.\n")
        assert "There is no role 'codign'; did you mean 'coding'?" in ended.err
        assert "There is no task for coding." in ended.err
        assert at.on.heard("coding") == ["Sort it.", "Sort it."]
        assert at.on.heard("arbiter") == ["me@example.org asks."]
        assert (await at.mmos("chat", "--thread", "u", given=b"@coding Sort it.\n")).out == "Three.\n"


async def test_a_task_that_a_role_answered_alone_is_asked_again_of_that_role(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["never"], "coding": ["One.", "Two."]}) as at:
        await at.mmos("run", "--role-only", "coding", "--thread", "t", "Sort it.")
        assert (await at.mmos("chat", "--thread", "t", given=b"/retry\n")).out == "Two.\n"


async def test_another_model_for_a_role_does_not_answer_alone(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["I am the arbiter."], "coding": ["One."]}) as at:
        ended = await at.mmos("chat", "--role", "coding=arbiter", given=b"Hi.\n")
        assert (ended.code, ended.out) == (0, "I am the arbiter.\n"), ended.err


async def test_one_talks_with_a_model_alone(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["never"], "coding": ["One."]}) as on:
        async with terminal(tmp_path, "chat", "--model", "coding") as at:
            await at.shows("model coding · 1 host")
            at.say("/tools")
            await at.shows("The model has no tools.")
            at.say("@coding Hi.")
            await at.shows("There is no role 'coding'")
            at.say("Hi.")
            await at.shows("One.")
            at.say("/roles")
            await at.shows("model  coding")
        assert on.on.sent("coding")[0]["messages"] == [{"role": "user", "content": "Hi."}]


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("@coding Sort it.", ("coding", "Sort it.")),
        ("@coding: Sort\nit.", ("coding", "Sort\nit.")),
        ("@coding\nSort it.", ("coding", "Sort it.")),
        ("@my.role Go.", ("my.role", "Go.")),
        ("Ask @coding.", ("", "Ask @coding.")),
        (" @codign Hi.", ("", " @codign Hi.")),
        ("@a.b+c@example.org wrote", ("", "@a.b+c@example.org wrote")),
        ("@property\ndef x(self): ...", ("", "@property\ndef x(self): ...")),
        ("@", ("", "@")),
    ],
)
def test_whom_a_line_is_for(line: str, read: tuple[str, str]) -> None:
    assert split_role(line, ROLES) == read


@pytest.mark.parametrize("line", ["@codign Sort it.", "@nobody", "@coding", "@coding: "])
def test_a_line_for_nobody_or_without_a_task_is_refused(line: str) -> None:
    with pytest.raises(UsageError):
        split_role(line, ROLES)


def test_names_of_roles_are_completed() -> None:
    completer = ChatCompleter({"commands": list, "options": list, "roles": lambda: ROLES, "tools": list})
    offered = completer.get_completions(Document("@co"), CompleteEvent(completion_requested=True))
    assert [completion.text for completion in offered] == ["@coding "]

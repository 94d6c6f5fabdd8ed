"""Stories of replays: a run is compared with today from the journal alone, and every change of prompts, tools and configuration is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import mmos
from mmos.events import ModelReplied
from mmos.messages import Message
from mmos.replay.report import Replay
from mmos.testing import Call, Stage, consult, facts, stage
from tests.shell import Shell, shell

ANSWERED = {"arbiter": [[consult("coding", "How?"), Call("look", {"thing": "door"})], "Painted."], "coding": ["With a brush."]}


def look(thing: str) -> str:
    """Look at a thing."""
    return f"seen: {thing}"


def parts(replay: Replay) -> list[tuple[str, str]]:
    """Where each difference is, and in what."""
    return [(step.ask or step.kind, one.part) for step in replay.differing for one in step.differences]


async def replayed(state: Path, run: str, **changed: Any) -> tuple[Stage, Replay]:
    """The run as an app sees it that differs."""
    async with stage({"arbiter": [], "coding": []}, state=state, **{"tools": [look], **changed}) as on:
        return on, await on.app.replay(run)


async def kept(state: Path, **more: Any) -> str:
    async with stage(ANSWERED, state=state, **{"tools": [look], **more}) as on:
        return (await on.app.run("Paint the door.")).run


# ---------------------------------------------------------------- nothing has changed


async def test_a_run_that_nothing_has_changed_since_is_the_same_and_asks_nobody(tmp_path: Path) -> None:
    run = await kept(tmp_path)
    on, replay = await replayed(tmp_path, run)
    assert (replay.same, replay.requests, replay.unknown) == (True, 3, [])
    assert replay.summary() == "3 requests, byte for byte as they went out; today would do the same."
    assert on.host.requests.total == 0
    kinds = [step.kind for step in replay.comparisons]
    assert {"request", "reply", "message", "result", "answer"} == set(kinds)


async def test_a_function_of_yours_never_runs_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def paint(color: str) -> str:
        calls.append(color)
        return f"painted {color}"

    roles = {"arbiter": [Call("paint", {"color": "red"}), "Red."]}
    async with stage(roles, state=tmp_path, tools=[paint]) as on:
        run = (await on.app.run("Paint it.")).run
        assert (await on.app.replay(run)).same
    assert calls == ["red"]


@pytest.mark.parametrize("channel", ["tools", "schema"])
async def test_what_a_host_sent_is_kept_only_where_something_else_was_read(channel: str) -> None:
    said = {"tools": ["Plain."], "schema": ['{"answer": "Plain."}']}[channel]
    async with stage({"arbiter": said, "coding": []}, orchestration={"arbiter": {"channel": channel}}) as on:
        (reply,) = await facts(on.app, (await on.app.run("Hello.")).run, ModelReplied)
        assert reply.message.content == "Plain."
        assert reply.raw == {"tools": None, "schema": Message("assistant", '{"answer": "Plain."}')}[channel]


async def test_lanes_side_by_side_that_use_up_the_calls(tmp_path: Path) -> None:
    """A lane makes its request while others make the last calls, so it may be told late that no call is left. The check at the end replays the run."""
    names = ("coding", "reasoning", "analysis")
    roles = {name: [Call("look", {"thing": name}), Call("look", {"thing": f"{name} again"}), "Seen.", "Seen."] for name in names}
    limits = {"limits": {"calls": 7}, "specialists": {name: {"tools": ["look"]} for name in names}}
    async with stage({"arbiter": [[consult(name) for name in names], "Done."], **roles}, tools=[look], orchestration=limits) as on:
        answer = await on.app.run("Look at all.")
        assert (await on.app.replay(answer.run)).requests > 5


# ---------------------------------------------------------------- each change is named


async def test_a_changed_prompt_file_is_found_and_shown(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "specialist.md").write_text("You are {{ role }}.\nBe brief.\n")
    told = {"prompts": str(prompts)}
    run = await kept(tmp_path, orchestration=told)
    assert (await replayed(tmp_path, run, orchestration=told))[1].same
    (prompts / "specialist.md").write_text("You are {{ role }}.\nBe thorough.\n")
    _, replay = await replayed(tmp_path, run, orchestration=told)
    assert parts(replay) == [("a2", "system text")]
    assert replay.differing[0].place == "turn 1 of coding (a2)"
    assert replay.differing[0].differences[0].lines() == [" You are coding.", "-Be brief.", "+Be thorough."]
    assert "today 1 request would differ, the first one in turn 1 of coding (a2)" in replay.summary()


async def test_a_changed_description_of_a_tool_a_new_one_and_a_missing_one_are_found(tmp_path: Path) -> None:
    run = await kept(tmp_path)

    def peek(thing: str) -> str:
        """Look at a thing."""
        return ""

    other = mmos.tool(name="look", description="Look twice.")(lambda thing, twice=True: "")
    assert parts((await replayed(tmp_path, run, tools=[other]))[1]) == [
        (ask, part) for ask in ("a1", "a3") for part in ("tool look: description", "tool look: parameters")
    ]
    found = (await replayed(tmp_path, run, tools=[peek]))[1]
    gone, new = found.differing[0].differences
    assert (gone.part, gone.now, new.part, new.then) == ("tool look", None, "tool peek", None)
    assert ("result", "result of look") in parts(found)  # today this call would fail


@pytest.mark.parametrize(
    ("changes", "asks"),
    [
        ({"specialists": {"coding": {"model": "other"}}}, [("a2", "model")]),
        ({"specialists": {"coding": {"options": {"temperature": 0.1}}}}, [("a2", "option temperature")]),
        ({"arbiter": {"context_window": 4096}}, [("a1", "option num_predict"), ("a1", "window"), ("a3", "option num_predict"), ("a3", "window")]),
        ({"arbiter": {"think": False}}, [("a1", "think"), ("a3", "think")]),
        ({"arbiter": {"system": "Be kind."}}, [("a1", "system text"), ("a3", "system text")]),
        ({"limits": {"turns": 2}}, [("a3", "message 1 (user)")]),
        ({"limits": {"turns": 1}}, [("a1", "message 1 (user)"), ("a3", "request")]),
    ],
)  # fmt: skip
async def test_a_changed_role_is_found(tmp_path: Path, changes: dict[str, Any], asks: list[tuple[str, str]]) -> None:
    run = await kept(tmp_path)
    _, replay = await replayed(tmp_path, run, orchestration=changes)
    assert parts(replay) == asks


async def test_the_texts_of_built_in_tools_are_compared(tmp_path: Path) -> None:
    run = await kept(tmp_path)
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "brief.md").write_text("Task: {{ task }} Query: {{ query }}{{ context }} From: {{ asker }}")
    _, replay = await replayed(tmp_path, run, orchestration={"prompts": str(prompts)})
    assert parts(replay) == [("message", "message to coding")]
    (difference,) = replay.differing[0].differences
    assert difference.now == "Task: Paint the door. Query: How? From: arbiter"


# ---------------------------------------------------------------- the command


async def test_the_command_shows_the_run_and_what_differs(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [consult("coding", "How?"), "Painted."], "coding": ["With a brush."]}) as at:
        assert (await at.mmos("run", "Paint the door.", "--thread", "door")).code == 0
        before = at.on.host.requests.total
        same = await at.mmos("runs", "replay", "--all")
        assert (same.code, same.err) == (0, "")
        assert same.out.endswith("3 requests, byte for byte as they went out; today would do the same.\n")
        assert "coding gets: " in same.out  # one run is shown whole
        prompts(at, "specialist", "You are \x1b[31m{{ role }}.")
        found = await at.mmos("runs", "replay", "--thread", "door")
        assert found.code == 1
        lines = found.out.splitlines()
        mark = next(number for number, line in enumerate(lines) if line.strip() == "≠ system text in turn 1 of coding (a2)")
        assert "coding asks coding" in lines[mark - 1]
        assert lines[mark + 1].strip().startswith("-")
        assert "\x1b" not in found.out
        document = (await at.mmos("runs", "replay", "--all", "--json")).document
        (run,) = document["runs"]
        assert (document["version"], document["same"], run["same"], run["requests"]) == (1, False, False, 3)
        assert run["differing"][0]["differences"][0]["now"] == "You are \x1b[31mcoding."
        assert at.on.host.requests.total == before  # no host was asked


async def test_several_runs_take_a_line_each(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two."], "coding": []}) as at:
        for task in ("First?", "Second?"):
            await at.mmos("run", task)
        ended = await at.mmos("runs", "replay", "--all")
        assert (ended.code, len(ended.out.splitlines())) == (0, 2)
        assert all(" same · 1 request, byte for byte as it went out" in line for line in ended.out.splitlines())
        (at.folder / "orchestration.yaml").unlink()
        gone = await at.mmos("runs", "replay", "--all", "--state", str(at.folder / ".mmos"))
        assert (gone.code, gone.out, gone.err.count("is no longer there")) == (1, "", 2)


async def test_wrong_usage_of_replay(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One."], "coding": []}) as at:
        for wrong in ((), ("--all", "x"), ("--all", "--thread", "t")):
            ended = await at.mmos("runs", "replay", *wrong)
            assert (ended.code, ended.out) == (2, "")
        assert (await at.mmos("runs", "replay", "--all")).err == "There are no runs.\n"
        assert "There is no run 'nobody'" in (await at.mmos("runs", "replay", "nobody")).err


def prompts(at: Shell, name: str, text: str) -> None:
    """Give the folder of a shell a text of its own."""
    folder = at.folder / "prompts"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    file = at.folder / "orchestration.yaml"
    tree = yaml.safe_load(file.read_text())
    tree["orchestration"]["prompts"] = "prompts"
    file.write_text(yaml.safe_dump(tree))

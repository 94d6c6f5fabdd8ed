"""The Python face: what the README and the interface promise works as written."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import mmos
from mmos import events, testing
from mmos.scope import Hint
from mmos.testing import Call, Model, stage, until

ROOT = Path(__file__).parent.parent


async def test_an_app_runs_over_a_mapping_and_over_a_file(tmp_path: Path) -> None:
    async with stage({"arbiter": ["One.", "Two."]}) as on:
        file = tmp_path / "orchestration.yaml"
        file.write_text(yaml.safe_dump(dict(on.config)))
        for config, text in ((on.config, "One."), (file, "Two.")):
            async with mmos.open(config, state=None) as app:
                answer = await app.run("Why does the build fail?", thread="build")
                assert (answer.text, answer.status, bool(answer.run), bool(answer.thread)) == (text, "answered", True, True)
                assert answer.usage["model_calls"] == 1
                assert app.fleet.host("here").url == on.host.url
                assert app.journal.alive(app.journal.process)
                assert "escalate_to_user" in app.tools
        assert list(tmp_path.iterdir()) == [file]  # nothing is kept without a state folder


async def test_pieces_of_the_answer_come_as_they_are_made() -> None:
    tokens: list[str] = []
    async with stage({"arbiter": [[Call("consult_coding_specialist", {"query": "?"})], "So it is."], "coding": ["Not heard."]}) as on:
        answer = await on.app.run("How?", on_token=tokens.append)
        assert ("".join(tokens), answer.text) == ("So it is.", "So it is.")
        assert len(tokens) > 1


async def test_a_thread_goes_on_by_its_name_and_by_its_id() -> None:
    async with stage({"arbiter": ["One.", "Two.", "Three.", "Four."]}) as on:
        first = await on.app.run("1?", thread="build")
        second = await on.app.run("2?", thread="build")
        third = await on.app.run("3?", thread=first.thread)
        alone = await on.app.run("4?")
        assert first.thread == second.thread == third.thread != alone.thread
        assert [len(body["messages"]) for body in on.sent("arbiter")] == [2, 4, 6, 2]


async def test_a_run_is_streamed_as_facts_with_pieces_between_them() -> None:
    async with stage({"arbiter": ["So it is."]}) as on:
        seen = [event async for event in on.app.stream("And now?", thread="build")]
        facts = [event for event in seen if isinstance(event, events.Event)]
        assert [type(fact) for fact in facts] == [
            events.RunStarted, events.ConfigKept, events.LaneOpened, events.FrameKept, events.ModelAsked, events.ModelReplied, events.ModelLearned,
            events.LaneClosed, events.RunFinished,
        ]  # fmt: skip
        assert "".join(hint.text for hint in seen if isinstance(hint, Hint) and hint.kind == "token") == "So it is."
        assert seen[-1] == facts[-1]


async def test_a_stream_that_is_left_stops_its_run() -> None:
    async with stage({"arbiter": ["Never."]}) as on:
        on.host.faults.add("hang")
        stream = on.app.stream("Go.")
        async for event in stream:
            if isinstance(event, events.ModelAsked):
                break
        await stream.aclose()  # type: ignore[attr-defined]
        (run,) = {entry.run for entry in await on.app.journal.read()}
        last = (await on.app.journal.read(run=run))[-1].event
        assert isinstance(last, events.RunFinished)
        assert last.status == "cancelled"


async def test_a_stream_keeps_its_answer_and_goes_on_to_the_end_when_it_is_cancelled() -> None:
    async with stage({"arbiter": ["So it is.", "Never."]}) as on:
        stream = on.app.stream("And now?")
        assert stream.answer is None
        seen = [event async for event in stream]
        assert stream.answer is not None
        assert (stream.answer.text, stream.answer.run) == ("So it is.", stream.run)
        on.host.faults.add("hang")
        stream = on.app.stream("Go.")
        async for event in stream:
            seen.append(event)
            if isinstance(event, events.ModelAsked):
                stream.cancel()
        assert (stream.answer and stream.answer.status, seen[-1].kind) == ("cancelled", "run_finished")


async def test_a_resumed_stream_yields_all_events_and_ends_at_the_new_end() -> None:
    async with stage({"arbiter": [Call("escalate_to_user", {"question": "Red?"}), "Red, then."]}) as on:
        asked = await on.app.run("Paint.", options=mmos.RunOptions(on_question="wait"))
        await on.app.answer(asked.run, "yes")
        stream = on.app.stream_resumed(asked.run)
        ends = [event.status async for event in stream if isinstance(event, events.RunFinished)]
        assert ends == ["waiting", "answered"]
        assert (stream.answer and stream.answer.text) == "Red, then."


async def test_a_stream_of_a_wrong_task_raises() -> None:
    async with stage({"arbiter": []}) as on:
        with pytest.raises(mmos.MmosError, match="task is empty"):
            _ = [event async for event in on.app.stream(" ")]


async def test_answers_failures_and_questions_return_and_raise_only_when_asked() -> None:
    async with stage({"arbiter": [Call("escalate_to_user", {"question": "Red?"}), "So."]}) as on:
        failed = await on.app.run("Paint.")
        assert (failed.status, failed.text) == ("failed", None)
        with pytest.raises(mmos.MmosError, match=r"failed: arbiter asks: Red\?"):
            failed.raise_for_status()
        answered = await on.app.run("And?")
        answered.raise_for_status()
        on.host.faults.add("refuse")
        gone = await on.app.run("Hello?")
        assert (gone.status, gone.reason and gone.reason.code) == ("failed", "host_unreachable")


async def test_wrong_usage_and_configuration_raise() -> None:
    async with stage({"arbiter": []}) as on:
        for task, options in (
            ("", None),
            ("Hi.", mmos.RunOptions(roles={"poet": "x"})),
            ("Hi.", mmos.RunOptions(roles={"arbiter": "x@nowhere"})),
        ):
            with pytest.raises(mmos.MmosError) as raised:
                await on.app.run(task, options=options)
            assert raised.value.code == "usage"
        assert await on.app.journal.read() == []
    with pytest.raises(mmos.ConfigError, match="arbiter"):
        async with mmos.open({"orchestration": {"arbitre": {}}}):
            raise AssertionError("not reached")


async def test_a_cancelled_run_raises_and_is_written_down() -> None:
    async with stage({"arbiter": ["Never."]}) as on:
        on.host.faults.add("hang")
        run = asyncio.create_task(on.app.run("Go."))
        await until(lambda: on.host.open)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        last = (await on.app.journal.read())[-1].event
        assert isinstance(last, events.RunFinished)
        assert last.status == "cancelled"


async def test_a_plain_turn_costs_exactly_one_call() -> None:
    async with stage({"arbiter": ["Hello."], "coding": [], "synthesizer": [], "interpreter": []}) as on:
        await on.app.run("Hello.", thread="new")
        assert len(on.host.requests.to("/api/chat")) == 1


async def test_functions_become_tools() -> None:
    @mmos.tool
    def read_file(path: str) -> str:
        """Read a file of the project."""
        return f"the words of {path}"

    async with stage({"arbiter": [Call("read_file", {"path": "a.txt"}), "Read."]}, tools=[read_file]) as on:
        assert (await on.app.run("Read a.txt.")).text == "Read."
        assert on.heard("arbiter")[1] == "the words of a.txt"
    assert read_file("b") == "the words of b"


def test_scripts_need_no_loop(tmp_path: Path) -> None:
    script = (
        "import asyncio, mmos, threading\n"
        "from mmos.testing import Call, Host, Model, serve\n"
        "urls, ended = [], threading.Event()\n"
        "async def host():\n"
        "    async with serve(Host('here', [Model.scripted('m', [Call('look'), 'By itself.'])])) as url:\n"
        "        urls.append(url); began.set()\n"
        "        await asyncio.to_thread(ended.wait)\n"
        "began = threading.Event(); threading.Thread(target=asyncio.run, args=(host(),)).start(); began.wait()\n"
        "config = {'orchestration': {'servers': {'here': {'url': urls[0]}}, 'arbiter': {'model': 'm', 'server': 'here'}}}\n"
        "try:\n"
        "    def look() -> str: return 'seen'\n"
        "    answer = mmos.run_sync('Hi.', config, tools=[look])\n"
        "    print(answer.text, answer.status, answer.document()['tools'])\n"
        "finally:\n"
        "    ended.set()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("By itself. answered [{'name': 'look', 'calls': 1, 'failed': 0}]\n", "", 0)


def test_every_public_name_is_there() -> None:
    assert sorted(mmos.__all__) == dir(mmos) == [
        "Answer", "App", "Case", "ConfigError", "Context", "Fleet", "Hint", "HostError", "MmosError", "NoHost", "NotFound", "Participant", "RunFailed",
        "RunOptions", "Side", "StateError", "Task", "Tool", "ToolError", "UsageError", "UserQuestion", "Watch", "__version__", "errors", "events",
        "library", "open", "patterns", "run_sync", "tool",
    ]  # fmt: skip
    for name in mmos.__all__:
        assert getattr(mmos, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mmos.nothing


def test_every_name_is_on_the_page_of_python() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    fields = [
        field.name
        for each in (mmos.RunOptions, mmos.Task, mmos.Watch, mmos.UserQuestion, mmos.Participant)
        for field in dataclasses.fields(each)
    ]
    parts = [name for names in PUBLIC.values() for name in names]
    missing = [name for name in (*mmos.__all__, *fields, *parts) if not re.search(rf"\b{name}\b", page)]
    assert not missing


PUBLIC: dict[type, tuple[str, ...]] = {
    mmos.App: ("run", "batch", "stream", "stream_resumed", "resume", "replay", "answer", "withdraw", "find", "files_of", "unserved", "diagnose", "diagnosing", "tools", "fleet", "journal", "config"),
    mmos.Context: ("task", "files", "ask", "step", "ask_user", "interpret", "expanded", "call", "effect_id"),
    mmos.Fleet: ("open", "ask", "embed", "host"),
    mmos.Answer: ("text", "status", "run", "thread", "reason", "usage", "data", "exit_code", "document", "raise_for_status"),
    testing.Stage: ("app", "host", "sent", "heard"),
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., object]] = {
    "open": mmos.open, "run_sync": mmos.run_sync,
    "stage": testing.stage, "consult": testing.consult, "facts": testing.facts, "until": testing.until,
    **{f"{each.__name__}.{name}": part for each, names in PUBLIC.items() for name in names if inspect.isroutine(part := getattr(each, name, None))},
}  # fmt: skip
DOCUMENTED = [
    mmos.tool,
    mmos.RunOptions,
    mmos.Task,
    mmos.Watch,
    mmos.Answer,
    mmos.Context,
    mmos.Participant,
    mmos.UserQuestion,
    *FUNCTIONS.values(),
]


def example_of(documented: object) -> str:
    return textwrap.dedent((inspect.getdoc(documented) or "").partition("Example::")[2])


def test_every_function_says_what_its_parameters_are() -> None:
    missing = []
    for name, function in FUNCTIONS.items():
        text = inspect.getdoc(function) or ""
        for other in re.findall(r"The arguments are those of `(\w+)`", text):
            text += inspect.getdoc(getattr(mmos.App, other)) or ""
        parameters = inspect.signature(function).parameters.keys() - {"self"}
        missing += [f"{name}: {one}" for one in sorted(parameters) if not re.search(rf"^ +{one}: |`{one}`", text, re.MULTILINE)]
    assert missing == []


def test_every_part_has_an_example_that_runs() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    examples = "\n".join([*re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL), *map(example_of, DOCUMENTED)])
    parts = [rf"\.{name}\b" for names in PUBLIC.values() for name in names]
    assert [part for part in (*parts, *(rf"\b{name}\(" for name in FUNCTIONS if "." not in name)) if not re.search(part, examples)] == []


@pytest.mark.parametrize("documented", [each for each in DOCUMENTED if example_of(each)], ids=lambda documented: documented.__qualname__)
async def test_the_example_of_a_docstring_runs(documented: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roles = {
        "arbiter": Model.scripted("qwen2.5:14b", ["Done."] * 3),
        "coding": Model.scripted("qwen2.5-coder:7b", ["Done."]),
        "reader": Model("nomic-embed-text", capabilities=("embedding",)),
    }
    async with stage(roles, state=tmp_path / ".mmos") as on:
        (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump(dict(on.config)))
        monkeypatch.chdir(tmp_path)
        given = {"mmos": mmos, "Path": Path, "app": on.app, "answer": await on.app.run("Begin.")}
        code = compile(
            example_of(documented).replace("http://gpu1:11434", on.host.url),
            documented.__qualname__,
            "exec",
            ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
        if code.co_flags & inspect.CO_COROUTINE:
            await eval(code, given)  # a docstring of ours
        else:
            await asyncio.to_thread(exec, code, given)


def test_run_sync_in_an_event_loop_says_what_to_write(tmp_path: Path) -> None:
    async def notebook() -> None:
        mmos.run_sync("Hi.", {"orchestration": {"arbiter": {"model": "m"}}})

    with pytest.raises(mmos.UsageError, match=r"inside an event loop.*async with mmos\.open"):
        asyncio.run(notebook())


# ---------------------------------------------------------------- how things look when they are printed


async def test_a_repr_is_short_and_keeps_what_nobody_should_read(tmp_path: Path) -> None:
    seen: list[str] = []

    @mmos.tool
    def look(context: mmos.Context, path: str, depth: int = 1) -> str:
        """Look."""
        seen.append(repr(context))
        return "So."

    secret = {"servers": {"here": {"headers": {"X-Token": "hush-hush"}}}, "limits": {"repetition": True}}
    turns = [Call("look", {"path": "a"}), "An answer that goes on. " * 400]
    async with stage({"arbiter": turns}, tools=[look], orchestration=secret) as on:
        answer = await on.app.run("Which quince?", options=mmos.RunOptions(system="Be a pirate."))
        shown = [repr(each) for each in (on.app, on.app.config, on.app.fleet, on.app.tools, answer, on.app.tools.get("look"))] + seen
        assert shown == [
            "<App without a file: arbiter on <Fleet: here>>",
            "<Config without a file>",
            "<Fleet: here>",
            "<Toolbox: escalate_to_user, look>",
            f"Answer('An answer that goes on. An answer that …', status='answered', run='{answer.run}')",
            "<Tool look(path, depth?)>",
            f"Context(role='arbiter', call='{next(iter(answer.view.started_calls))}', run='{answer.run}')",
        ]

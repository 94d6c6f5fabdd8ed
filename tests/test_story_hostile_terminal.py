"""Stories of hostile words at every command: whatever hosts, models, files and names say, no terminal obeys it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pty
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import yaml

from mmos.app import RunOptions
from mmos.cli.main import main, mmos
from mmos.cli.text import harmless
from mmos.errors import UsageError
from mmos.events import ThreadNamed
from mmos.fitness.card import Card
from mmos.journal import Journal
from mmos.library.library import Library
from mmos.library.passages import Document
from tests.hostile import EVIL, FOREIGN, NAME, NASTY, NO_NAMES, hostile_host, steering
from tests.terminal import CTRL_D, terminal

OURS = re.compile(r"\x1b\[(?:[0-9;]*m|2?K|G|[0-9]+A|\?25[lh])|\r(?=\x1b\[(?:2K|[0-9]+A))")
"""Styles, and what draws a line anew."""

VERBATIM = {
    ("run",),
    ("runs", "answer"),
    ("runs", "resume"),
    ("runs", "fork"),
    ("runs", "export"),
    ("threads", "export"),
    ("prompts", "show"),
    ("calls", "read"),
    ("rag", "show"),
}
"""What they print into a pipe is an answer or a document."""

LONG = {("threads", "show"), ("runs", "show"), ("prompts", "diff"), ("rag", "search")}
"""Texts that have lines."""


@dataclass
class Printed:
    out: str
    err: str = ""


@dataclass
class Place:
    """A folder in which every name and every text is hostile, and the hostile host that its configuration names."""

    folder: Path
    url: str
    run: str = ""
    thread: str = ""

    def at_terminal(self, *args: str, typed: str = "no\n" * 3, stop: bytes = b"") -> str:
        """What the terminal gets from `mmos ARGS`, in this process; it is interrupted when it has said `stop`."""
        ours, its = pty.openpty()
        got: list[bytes] = []
        reader = threading.Thread(target=_read, args=(ours, got, stop))
        reader.start()
        os.write(ours, typed.encode())
        try:
            with open(its, closefd=False) as given, open(its, "w", closefd=False) as out, open(its, "w", closefd=False) as err:
                _main(args, given, out, err)
        finally:
            os.close(its)
            reader.join()
            os.close(ours)
        return b"".join(got).decode()

    def in_a_pipe(self, *args: str) -> Printed:
        with Path(os.devnull).open() as given, Path("out").open("w+", newline="") as out, Path("err").open("w+", newline="") as err:
            _main(args, given, out, err)
            out.seek(0)
            err.seek(0)
            return Printed(out.read(), err.read())

    def asking(self) -> str:
        """A run that waits for an answer."""
        return json.loads(self.in_a_pipe("run", f"ask {EVIL}", "--on-question", "wait", "--json").out)["run"]


def _read(descriptor: int, got: list[bytes], stop: bytes) -> None:
    with suppress(OSError):  # the other side was closed
        while data := os.read(descriptor, 65536):
            got.append(data)
            if stop and stop in b"".join(got):
                os.kill(os.getpid(), signal.SIGINT)
                stop = b""


def _main(args: tuple[str, ...], *streams: object) -> None:
    before, handlers = (sys.stdin, sys.stdout, sys.stderr), {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    sys.stdin, sys.stdout, sys.stderr = streams  # type: ignore[assignment]
    try:
        main(list(args))
    except SystemExit:
        sys.stdout.flush()
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        logging.getLogger("mmos").handlers.clear()
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _around(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith(("MMOS_", "OLLAMA_", "XDG_", "NO_COLOR")):
                patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", "100")
        patch.chdir(folder)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("hostile")
    with hostile_host() as url, _around(folder):
        prompts = folder / f"prompts{EVIL}".replace("/", "").replace("\0", "").replace("\n", "")[:60]
        prompts.mkdir()
        (prompts / "brief.md").write_text(f"{EVIL}{{{{ query }}}}".replace("\0", ""), encoding="utf-8")
        (prompts / f"{EVIL[:20]}.md").write_text(EVIL, encoding="utf-8")
        coding = {"model": NAME, "server": "here", "description": EVIL}
        here = {"url": url, "headers": {"X": "y"}}
        made = {"servers": {"here": here}, "arbiter": {"model": "general:7b", "server": "here"}, "specialists": {"coding": coding}}
        (folder / "orchestration.yaml").write_text(yaml.safe_dump({"orchestration": made | {"prompts": str(prompts)}}))
        at = Place(folder, url)
        for task in ("answer", "invent"):
            at.in_a_pipe("run", f"{task} {EVIL}")
        rows = json.loads(at.in_a_pipe("runs", "list", "--json").out)["runs"]
        at.run, at.thread = rows[1]["run"], rows[1]["thread"]
        asyncio.run(_name(at.thread))
        yield at


async def _name(thread: str) -> None:
    async with await Journal.open(Path(".mmos")) as journal:
        journal.append("", thread, ThreadNamed(EVIL))


def leaves(group: click.Group = mmos, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that there is: a new one is tried by itself."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield (*path, name), command


LEAVES = dict(leaves())
MORE: dict[tuple[str, ...], list[list[str]]] = {
    ("run",): [["answer please"], ["invent"], ["ask", "--on-question", "wait"], ["fail"], ["fail", "-vv"], ["-x", "answer"], ["answer", "--thread", EVIL], ["answer", "--validate"], ["answer", "--tool", EVIL], ["answer", "--tool", "files"]],
    ("diagnose",): [["RUN"], [EVIL], ["--log", "evil.log"], ["--rules-only", "--format", "github", "--log", "evil.log"], ["--rules-only", "--log", EVIL], ["--select", "--log", "evil.log"]],
    ("runs", "show"): [["ASKING"]],
    ("runs", "export"): [["--all", "--trace"]],
    ("runs", "delete"): [[f"x{EVIL}", "--yes"]],
    ("threads", "delete"): [[f"x{EVIL}", "--yes"]],
    ("runs", "answer"): [["ASKING", EVIL]],
    ("runs", "steer"): [[EVIL, EVIL], ["RUN", EVIL]],
    ("runs", "resume"): [["ASKING", "--on-question", "wait"]],
    ("runs", "replay"): [["RUN"], [EVIL], ["--all"]],
    ("runs", "list"): [["--waiting"], ["--words", EVIL], ["--thread", EVIL]],
    ("calls", "read"): [["--text", f"<tool_call>{json.dumps({'name': EVIL, 'arguments': {EVIL: EVIL}})}</tool_call>"], ["--text", EVIL]],
    ("classify",): [[EVIL, "--rules"], [f"`{EVIL}` what is this?"], [EVIL, "--json"]],
    ("quality",): [["evil.log"], [EVIL], ["evil.log", "--json"], ["evil.log", "--question", EVIL]],
    ("commit",): [["--model", EVIL, "--yes"], ["--pipeline", EVIL]],
    ("check",): [["--pattern", EVIL, "--", "false"], ["--", "true"]],
    ("modify",): [[EVIL, "--file", "evil.log"], ["x", "--file", EVIL], ["x", "--file", "evil.log", "--pipeline", EVIL], ["--undo"]],
    ("models", "show"): [[FOREIGN], ["general:7b"]],
    ("models", "pull"): [["general:7b", "--host", "here"]],
    ("models", "test"): [["--forget", "--all"], [FOREIGN, "--host", "here", "--no-probe", "--channel", "tools"]],
    ("models", "benchmark"): [[FOREIGN, "--host", "here", "--quick"]],
    ("models", "unload"): [["--all", "--yes"], [FOREIGN]],
    ("models", "compare"): [["--scored", "scores.jsonl"], ["--scored", "scores.jsonl", "--show-differences"], ["--cases", EVIL, FOREIGN, EVIL], ["--cases", "evil.jsonl", FOREIGN, "general:7b"], ["--scored", "scores.jsonl", EVIL]],
    ("config", "init"): [["URL", "-o", "-"]],
    ("config", "add-host"): [["URL", "--name", "other", "--dry-run"]],
    ("config", "check"): [["--offline"]],
    ("config", "migrate"): [[EVIL]],
    ("pipeline", "status"): [[EVIL]],
    ("pipeline", "set-strategy"): [["single", "--dry-run"]],
    ("doctor",): [["--fix"], ["--quick", "-c", EVIL]],
    ("patterns", "show"): [[EVIL, "--offline"], [EVIL]],
    ("patterns", "tally"): [[EVIL], ["x", "--learn", EVIL], ["--voting", EVIL]],
    ("patterns", "evaluate"): [[EVIL, "--cases", "evil.jsonl"], ["x", "--cases", EVIL]],
    ("prompts", "show"): [["brief"], ["coding", "--filled"]],
    ("hosts",): [["--host", EVIL]],
    ("hosts", "serve"): [["--gpus", EVIL], ["--gpus", "0", "--ollama", EVIL.replace("\0", "")]],
    ("gpu", "release"): [[EVIL]],
    ("rag", "add"): [[EVIL, "-C", "evil"]],
    ("rag", "search"): [[EVIL, "-C", "evil"], ["forged", "-C", "evil"], ["forged", "-C", EVIL]],
    ("rag", "list"): [["-C", "evil"]],
    ("rag", "reembed"): [[EVIL, "-C", "evil"]],
    ("rag", "evaluate"): [[EVIL, "-C", "evil"], ["-C", EVIL]],
    ("rag", "show"): [[EVIL, "-C", "evil"], [f"{EVIL}x", "-C", "evil"]],
    ("rag", "delete"): [["*", "-C", "evil", "--dry-run"], [EVIL, "-C", "evil"]],
    ("cache", "clear"): [["--model", EVIL], ["--all", "--yes"]],
    ("help",): [[EVIL]],
    ("rehearse",): [[EVIL.replace("\0", "")]],
    ("simulate",): [["--trace", "trace.jsonl", "-o", "pictures"]],
}  # fmt: skip
ENDLESS = {("rehearse",): b"Ctrl-C"}
"""They end when they are interrupted, and say that."""

INNOCENT = {
    ("threads", "rename"),
    ("commit",),
    ("config", "schema"),
    ("config", "init"),
    ("models", "list"),
    ("models", "outcomes"),
    ("runs", "export"),
    ("simulate",),
    ("gpu", "allocate"),
    ("gpu", "status"),
    ("cache", "show"),
    ("pipeline", "list"),
    ("cache", "clear"),
    ("runs", "compact"),
    ("threads", "fork"),
    ("threads", "compact"),
    ("classify",),
    ("patterns", "list"),
}
"""They print nothing hostile from outside."""

ELSEWHERE = {("chat",)}
"""It has stories of its own below."""


def tries(path: tuple[str, ...], command: click.Command, place: Place) -> Iterator[list[str]]:
    """What a command is called with: hostile values for what it takes, and more that reaches further."""
    values = {
        "run": place.run,
        "thread": place.thread,
        "model": NAME,
        "hosts": place.url,
        "topic": "threads",
        "prompt": "brief",
        "fleet": "",
    }
    known = [values.get(one.name or "", EVIL) for one in command.params if isinstance(one, click.Argument) and one.required]
    yield [*path, *known]
    if known:
        yield [*path, *(EVIL for _ in known)]
    for args in MORE.get(path, []):
        yield [*path, *(place.asking() if word == "ASKING" else {"URL": place.url, "RUN": place.run}.get(word, word) for word in args)]


def check(raw: str) -> None:
    """Nothing but our own sequences is in it."""
    assert [nasty for nasty in NASTY if harmless(nasty) != nasty and nasty in raw and nasty != "\rover"] == []
    left = OURS.sub("", raw).replace("\r\n", "\n")
    assert harmless(left) == left


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in ELSEWHERE], ids=" ".join)
def test_no_command_lets_a_hostile_word_steer_a_terminal(place: Place, path: tuple[str, ...]) -> None:
    Path("evil.log").write_text(f"Traceback (most recent call last):\nValueError: {EVIL}\n", encoding="utf-8")
    if path == ("simulate",):
        Path("trace.jsonl").write_text(place.in_a_pipe("runs", "export", "--all", "--trace").out, encoding="utf-8")
    if path in (("models", "compare"), ("patterns", "evaluate")):
        rows = [
            {"id": f"{n}{EVIL}", "side": side + EVIL, "score": score, "why": EVIL} for n in range(9) for side, score in (("a", 1), ("b", 0))
        ]
        Path("scores.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        Path("evil.jsonl").write_text(json.dumps({"id": EVIL, "task": f"answer {EVIL}", "expect": EVIL}), encoding="utf-8")
    if path[0] == "rag":
        asyncio.run(Library(".mmos/library").add("evil", [Document(EVIL, f"{EVIL} forged", EVIL, EVIL)]))
    raw = ""
    for args in tries(path, LEAVES[path], place):
        came = place.at_terminal(*args, stop=ENDLESS.get(path, b""))
        check(came)
        if path not in VERBATIM | LONG and not any("\n" in word for word in args):
            assert "\nmmos: forged" not in came, "no name makes a line of its own"
        raw += came
    assert ("38;5;201m" in raw) is (path not in INNOCENT), "what is left of a hostile word is to be seen"


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in ELSEWHERE and path not in ENDLESS], ids=" ".join)
def test_nor_in_json_nor_in_a_pipe(place: Place, path: tuple[str, ...]) -> None:
    has_json = any(one.name == "json" for one in LEAVES[path].params)
    for args in tries(path, LEAVES[path], place):
        if has_json:
            check(place.at_terminal(*args, "--json"))
        printed = place.in_a_pipe(*args)
        check(printed.err)
        if path not in VERBATIM:
            check(printed.out)


def test_a_document_at_a_terminal_says_what_it_says_in_a_pipe(place: Place) -> None:
    piped = place.in_a_pipe("runs", "show", place.run, "--json").out
    assert json.loads(place.at_terminal("runs", "show", place.run, "--json", typed="")) == json.loads(piped)
    assert json.loads(piped)["answer"] == EVIL


@pytest.mark.parametrize("args", [["runs", "show", "RUN"], ["run", "invent"]])
def test_no_name_makes_a_line_of_its_own(place: Place, args: list[str]) -> None:
    """The answer does: it is the only text that has lines."""
    lines = place.at_terminal(*(place.run if word == "RUN" else word for word in args)).splitlines()
    assert [line for line in lines if line.startswith("mmos: forged")] == ["mmos: forged"]


def test_an_answer_goes_into_a_file_as_the_model_wrote_it(place: Place) -> None:
    assert place.in_a_pipe("run", "answer").out == f"{EVIL}\n"
    assert EVIL in place.in_a_pipe("threads", "export", place.thread).out


def test_the_fleet_is_drawn_anew_and_nothing_else(place: Place) -> None:
    check(place.at_terminal("hosts", "--watch", stop=b"Ctrl-C"))


def test_a_name_of_a_model_does_not_leave_its_place_in_a_configuration(place: Place) -> None:
    proposed = yaml.safe_load(place.in_a_pipe("config", "init", place.url, "-o", "-").out)["orchestration"]
    assert list(proposed) == ["servers", "arbiter", "specialists", "routing", "limits"]
    assert list(proposed["servers"].values()) == [{"url": place.url}]
    assert {role["model"] for role in (proposed["arbiter"], *proposed["specialists"].values())} <= {"general:7b", NAME}


def test_a_name_that_nobody_can_read_or_paste_is_no_name(place: Place) -> None:
    listed = json.loads(place.in_a_pipe("models", "list", "--json").out)
    assert {model["model"] for model in listed["models"]} == {"general:7b", NAME}
    card = {"model": "--config=evil", "host": "here", "tested": 1.0}
    with pytest.raises(ValueError, match="no model has such a name"):
        Card.from_document(card)
    for name in NO_NAMES:
        with pytest.raises(UsageError, match="allowed: the name of a model"):
            RunOptions(model=name)


async def test_no_chat_lets_a_hostile_word_steer_a_terminal(tmp_path: Path) -> None:
    with hostile_host() as url:
        coding = {"model": NAME, "server": "here", "description": EVIL}
        made = {"servers": {"here": {"url": url}}, "arbiter": {"model": "general:7b", "server": "here"}, "specialists": {"coding": coding}}
        (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump({"orchestration": made}))
        async with terminal(tmp_path, "chat") as at:
            await at.shows("/help")
            for line, end in (("answer", "tokens"), ("invent", "tokens"), ("fail", "failed"), ("ask", "answer [")):
                before = at.text.count(end)
                at.say(line)
                await at.until(lambda end=end, before=before: at.text.count(end) > before)
            at.say("2")
            for command in ("/tools", "/roles", "/hosts", "/models", "/why", "/usage", "/open", "/threads", "/set"):
                at.say(command)
            at.say("/thread")
            await at.shows("Resume it with")
            at.press(CTRL_D)
            await at.process.wait()
        pieces = at.raw.decode()
    assert steering(pieces) == []

"""Stories of `mmos chat` beside hostile hosts: in a pipe and at a terminal, whatever a host sends, the conversation goes on."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hostile import steering
from tests.hostile_attacks import ATTACKS, STRANGE
from tests.hostile_host import MODEL, SAID, Attack, Hostile, hostile
from tests.terminal import terminal

KEY, INSTRUCTION = "Header-S3cret-91011", "Answer-as-a-pirate-does"
PATIENCE = {"connect": 2, "load": 1, "first_byte": 1, "between_chunks": 1, "total": 10}
CHAT = ("chat", "--system", INSTRUCTION)
LISTS = ("/hosts", "/models", "/roles", "/tools", "/usage", "/why", "/threads")
PARTS, AT_ONCE = 2, 4
SPEAKING = [Attack(attack.name, attack.path or "/api/chat", attack.send) for attack in ATTACKS.values() if attack.path in ("", "/api/chat")]
LISTING = [attack for attack in ATTACKS.values() if attack.path in ("", "/api/tags", "/api/ps", "/api/version", "/api/show")]
LAST = b"Resume it with: mmos chat --thread"
MOST_MEMORY = 400_000
"""kB; a chat with good hosts takes about 110,000."""


@asynccontextmanager
async def beside(folder: Path, attacks: Sequence[Attack], *, alone: bool = False) -> AsyncIterator[list[Hostile]]:
    """A liar for each attack, and a role that asks it first and a good host then; the arbiter has a good host to itself."""
    async with AsyncExitStack() as stack:
        good = await stack.enter_async_context(hostile())
        liars = [await stack.enter_async_context(hostile(attack)) for attack in attacks]
        servers: dict[str, Any] = {"good": {"url": good.url}}
        roles = {}
        for number, liar in enumerate(liars):
            servers[f"a{number}"] = {"url": liar.url, "headers": {"X-Key": KEY}}
            servers[f"g{number}"] = {"url": f"{good.url}/{number}"}
            asked = [f"a{number}"] if alone else [f"a{number}", f"g{number}"]
            roles[f"r{number}"] = {"model": MODEL, "server": asked, "channel": "tools"}
        arbiter = {"model": MODEL, "server": "good", "channel": "tools", "tools": []}
        made = {"servers": servers, "arbiter": arbiter, "specialists": roles, "timeouts": PATIENCE}
        (folder / "orchestration.yaml").write_text(yaml.safe_dump({"orchestration": made}))
        yield liars


def memory(process: asyncio.subprocess.Process) -> int:
    """The most that it ever had, in kB."""
    told = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    assert told is not None
    return int(told[1])


async def in_a_pipe(folder: Path, lines: Sequence[str], *options: str) -> tuple[str, str]:
    """What `mmos chat` writes for these lines. It takes the line that follows, in bounded memory, and leaves well."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MMOS_", "OLLAMA_", "XDG_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mmos", *CHAT, *options, cwd=folder, env={**environ, "HOME": str(folder)}, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=1 << 20
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = asyncio.create_task(process.stdout.read()), b""
    async with asyncio.timeout(100):
        process.stdin.write("".join(f"{line}\n" for line in (*lines, "/thread")).encode())
        while LAST not in err:
            line = await process.stderr.readline()
            assert line, err
            err += line
        assert memory(process) < MOST_MEMORY
        process.stdin.write(b"/quit\n")
        assert await process.wait() == 0
        return (await out).decode(), (err + await process.stderr.read()).decode()


async def at_a_terminal(folder: Path, lines: Sequence[str], ends: str, *listed: str) -> tuple[str, str]:
    """What the terminal shows, and what it got; each line is typed when the one before has ended, and it is left when all that is listed stands there."""
    async with terminal(folder, *CHAT, columns=200, cold=True) as at:
        await at.shows("/help")
        for number, line in enumerate(lines, 1):
            at.say(line)
            if not line.startswith("/"):
                await at.shows(ends, number)
        for row in listed:
            await at.shows(row)
        at.say("/thread")
        await at.shows(LAST.decode())
        assert memory(at.process) < MOST_MEMORY
        at.say("/quit")
        assert await at.ended() == 0
        return at.text, at.raw.decode()


def check(text: str) -> None:
    assert "Traceback" not in text
    assert KEY not in text
    assert INSTRUCTION not in text
    assert steering(text) == []


async def piped(folder: Path, attacks: Sequence[Attack]) -> None:
    async with beside(folder, attacks) as liars:
        out, err = await in_a_pipe(folder, [f"@r{number} How is it?" for number in range(len(liars))])
        assert out == f"{SAID}\n" * len(liars)
        check(out + err)
        assert all(any(asked.path == "/api/chat" for asked in liar.asked) for liar in liars)


async def typed(folder: Path, attacks: Sequence[Attack]) -> None:
    async with beside(folder, attacks) as liars:
        text, raw = await at_a_terminal(folder, [f"@r{number} How is it?" for number in range(len(liars))], SAID)
        assert text.count(SAID) == len(liars)
        check(raw)
        assert all(any(asked.path == "/api/chat" for asked in liar.asked) for liar in liars)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("door", [piped, typed])
async def test_every_turn_is_answered(tmp_path: Path, door: Callable[[Path, Sequence[Attack]], Awaitable[None]], part: int) -> None:
    """In several chats at once, since they wait most of the time. Each attack comes to one of the two doors, each kind to both."""
    attacks = SPEAKING[door is typed :: 2][part::PARTS]
    chats = []
    for chat in range(AT_ONCE):
        (tmp_path / str(chat)).mkdir()
        chats.append(door(tmp_path / str(chat), attacks[chat::AT_ONCE]))
    await asyncio.gather(*chats)


async def test_no_strange_answer_ends_the_chat(tmp_path: Path) -> None:
    async with beside(tmp_path, STRANGE) as liars:
        out, err = await in_a_pipe(tmp_path, [f"@r{number} How is it?" for number in range(len(liars))])
        check(out + err)
        assert len(out) + len(err) < 100_000
        assert out.count(SAID) > len(liars) / 2
        assert f"{len(liars)} exchanges" in err
        assert all(any(asked.path == "/api/chat" for asked in liar.asked) for liar in liars)


async def test_a_liar_that_is_alone_is_named_and_the_next_line_is_served(tmp_path: Path) -> None:
    async with beside(tmp_path, SPEAKING[::19], alone=True) as liars:
        out, err = await in_a_pipe(tmp_path, [f"@r{number} How is it?" for number in range(len(liars))], "--timeout", "5")
        check(out + err)
        assert out.count(SAID) + err.count("mmos: failed: ") == len(liars)
        failed = [line for line in err.splitlines() if line.startswith("mmos: failed: ")]
        assert [line for line in failed if not re.search(r"\ba\d+\b|http://127|\b5 s", line)] == []


async def test_in_a_pipe_no_list_falls_for_a_liar(tmp_path: Path) -> None:
    async with beside(tmp_path, LISTING[::3]) as liars:
        out, err = await in_a_pipe(tmp_path, ["How is it?", *LISTS])
        check(out + err)
        for number in range(len(liars)):
            assert len(re.findall(rf"^a{number} ", out, re.MULTILINE)) == 1, LISTING[::3][number]
        assert f"\n{MODEL} " in out


async def test_at_a_terminal_no_list_falls_for_a_liar(tmp_path: Path) -> None:
    async with beside(tmp_path, LISTING[1::3]) as liars:
        rows = [f"\na{number} " for number in range(len(liars))]
        _, raw = await at_a_terminal(tmp_path, ["How is it?", *LISTS], SAID, *rows, f"\n{MODEL} ")
        check(raw)

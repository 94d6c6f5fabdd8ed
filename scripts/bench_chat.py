#!/usr/bin/env python
"""Measures `mmos chat` on a terminal: the CPU of a streamed answer, the delay of the screen, the first key and the first token."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pty
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from subprocess import PIPE
from typing import Any

SIZE = (40, 120)
ROUNDS = 20
PROMPT = "› ".encode()
CHUNK_SECONDS = 0.01
SEQUENCE = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass(frozen=True)
class Limit:
    promise: str
    bound: float
    found: float

    @property
    def kept(self) -> bool:
        return self.found <= self.bound


def main() -> int:
    given = _arguments()
    if given.waiting:
        _wait()
        return 0
    if given.inside:
        asyncio.run(_inside(given.chunks, Path(given.inside)))
        return 0
    chunks = given.chunks if not given.quick else 300
    streamed = _streamed(chunks)
    keys = [_first_key() for _ in range(3 if given.quick else 7)]
    limits = [
        Limit(f"CPU of {streamed['bytes'] / 1000:.0f} kB in {chunks} chunks at 100 a second, % of a core", 15, streamed["core"]),
        Limit(
            "the screen behind the text, beyond the machine's own lateness, at most, ms",
            50,
            max(0.0, streamed["behind_ms"] - streamed["late_ms"]),
        ),
        Limit("one feed and paint, at most, ms", 50, streamed["paint_ms"]),
        Limit("first token on the screen after its arrival, median, ms", 5, streamed["token_ms"]),
        Limit("first key echoed after the command was typed, median, ms", 300, statistics.median(key["echo_ms"] for key in keys)),
    ]
    told = {
        "version": 1, **streamed, "keys": keys,
        "limits": [{"promise": limit.promise, "bound": limit.bound, "found": limit.found, "kept": limit.kept} for limit in limits],
    }  # fmt: skip
    print(json.dumps(told, indent=2) if given.json else "\n".join(_lines(limits, streamed, keys)))
    return int(given.check and not all(limit.kept for limit in limits))


def _lines(limits: list[Limit], streamed: dict[str, Any], keys: list[dict[str, float]]) -> Iterator[str]:
    for limit in limits:
        yield f"{'kept  ' if limit.kept else 'MISSED'}  {limit.found:8.1f}  of {limit.bound:5.0f}  {limit.promise}"
    editor = statistics.median(key["ready_ms"] for key in keys)
    yield f"        {editor:8.1f}            the chat is ready to send what was typed, median, ms"
    yield f"        {streamed['written'] / 1000:8.1f}            kB written to the terminal"
    yield f"        {streamed['behind_ms']:8.1f}            the screen behind the text, at most, ms"
    yield f"        {streamed['late_ms']:8.1f}            a process that only waits, in the same seconds, behind its own clock, at most, ms"


# ---------------------------------------------------------------- a long answer


def answer(chunks: int) -> list[str]:
    """Markdown of all kinds, in chunks of 40 characters."""
    parts = [
        "## A section of the answer\n\nSome **bold words**, `code` and [a link](http://host/path) in a paragraph that goes on for a while. "
        * 3,
        "\n\n" + "".join(f"{number}. Item **{number}** of a list\n   - and one within it, `x = {number}`\n" for number in range(1, 9)),
        "\n```python\n"
        + "".join(f"def function_{n}(value: int) -> str:  # comment\n    return 'text' + str({n})\n" for n in range(12))
        + "```\n\n",
        "| Name | Size | Note |\n|------|-----:|------|\n"
        + "".join(f"| row {n} | {n * 10} | some `code` and words |\n" for n in range(30)),
        "\n> A quote of 日本語 and 👩‍💻, longer than a line so that it has to be wrapped somewhere in the middle of it.\n\n",
    ]
    text = "".join(islice(cycle("".join(parts)), 40 * chunks))
    return [text[place : place + 40] for place in range(0, len(text), 40)]


class Keyboard:
    """A keyboard without any keys."""

    def submit(self, text: str) -> None: ...
    def interrupt(self) -> None: ...
    def leave(self) -> None: ...
    def open_editor(self) -> None: ...


async def _inside(chunks: int, report: Path) -> None:
    """Runs in the terminal: the chat's page, with text as a model would stream it."""
    from prompt_toolkit.completion import DummyCompleter
    from prompt_toolkit.history import InMemoryHistory

    from mmos.cli.chat.terminal import Terminal

    page = Terminal(Keyboard(), InMemoryHistory(), DummyCompleter(), True)
    with page.open():
        await _idle(20)
        tokens = [await _first_token(page, number) for number in range(ROUNDS)]
        waiting = await asyncio.create_subprocess_exec(sys.executable, __file__, "--waiting", stdin=PIPE, stdout=PIPE)
        told = await _stream(page, answer(chunks))
        late, _ = await waiting.communicate(b"done")
        await page.close()
    report.write_text(json.dumps({**told, "tokens": tokens, "late_ms": float(late) * 1000}))


def _wait() -> None:
    """The control: wakes up as often as text comes, and does nothing, until its stdin has data."""
    due, worst = time.perf_counter(), 0.0
    while not select.select([sys.stdin], [], [], 0)[0]:
        due = max(due + CHUNK_SECONDS, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))
        worst = max(worst, time.perf_counter() - due)
    print(worst)


async def _idle(ticks: int) -> None:
    await asyncio.sleep(ticks * CHUNK_SECONDS)


async def _first_token(page: Any, number: int) -> float:
    from mmos.cli.chat.renderer import TurnRenderer
    from mmos.scope import Hint

    turn = TurnRenderer(page, lambda _: 0)
    await _idle(5)
    arrived = time.perf_counter()
    turn.on_hint(Hint("token", "arbiter", "lane", f"token{number:03}token"))
    await _idle(5)
    turn._end()
    return arrived


async def _stream(page: Any, pieces: list[str]) -> dict[str, float]:
    from mmos.cli.chat.renderer import TurnRenderer
    from mmos.scope import Hint

    turn, painting = TurnRenderer(page, lambda _: 0), _paintings(page)
    loop = asyncio.get_running_loop()
    behind = busy = 0.0
    spent, begun = time.process_time(), loop.time()
    for number, piece in enumerate(pieces, 1):
        due = begun + number * CHUNK_SECONDS
        await asyncio.sleep(max(0.0, due - loop.time()))
        fed = time.thread_time()
        turn.on_hint(Hint("token", "arbiter", "lane", piece))
        busy = max(busy, time.thread_time() - fed)
        behind = max(behind, loop.time() - due)
    spent, wall = time.process_time() - spent, loop.time() - begun
    page.tick(False)
    return {"core": 100 * spent / wall, "behind_ms": behind * 1000, "paint_ms": (max(painting) + busy) * 1000, "paints": len(painting)}


def _paintings(page: Any) -> list[float]:
    """Measure each paint from now on."""
    app, begun, found = page._session.app, [0.0], [0.0]
    app.before_render.add_handler(lambda _: begun.__setitem__(0, time.thread_time()))
    app.before_render._handlers.reverse()  # the measured time includes the drawing of the page
    app.after_render += lambda _: found.append(time.thread_time() - begun[0])
    return found


def _streamed(chunks: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        seen: dict[bytes, float] = {}

        def look(data: bytes) -> bool:
            for token in re.findall(rb"token\d{3}token", SEQUENCE.sub(b"", data)):
                seen.setdefault(token, time.perf_counter())
            return False

        written = _in_terminal([sys.executable, __file__, "--inside", str(report), "--chunks", str(chunks)], look)
        told = json.loads(report.read_text())
    waits = [seen[f"token{number:03}token".encode()] - arrived for number, arrived in enumerate(told.pop("tokens"))]
    return {
        **told,
        "token_ms": statistics.median(waits) * 1000,
        "written": written,
        "bytes": sum(len(piece.encode()) for piece in answer(chunks)),
    }


# ---------------------------------------------------------------- the first key


def _first_key() -> dict[str, float]:
    """Seconds from the command to the first visible key, and to the line that shows the fleet."""
    begun = time.perf_counter()
    times: dict[str, float] = {}
    kept = bytearray()

    def look(data: bytes) -> bool | bytes:
        kept.extend(data)
        if "prompt" not in times and PROMPT in kept:
            times["prompt"] = time.perf_counter()
            kept.clear()
            return b"q"
        if "prompt" in times and "echo" not in times and b"q" in SEQUENCE.sub(b"", kept):
            times["echo"] = time.perf_counter()
        if b"thread new" in SEQUENCE.sub(b"", kept):
            times["ready"] = time.perf_counter()
            return True
        return False

    with tempfile.TemporaryDirectory() as home:
        _in_terminal([sys.executable, "-m", "mmos", "chat", "--rehearse"], look, home)
    return {"echo_ms": (times["echo"] - begun) * 1000, "ready_ms": (times["ready"] - begun) * 1000}


def _in_terminal(command: list[str], look: Callable[[bytes], bool | bytes], home: str | None = None) -> int:
    """Run a command in its own terminal until it ends, or until enough was seen. Returns the number of bytes that it wrote."""
    import fcntl
    import struct
    import termios

    ours, its = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR" and not name.startswith("MMOS_")}
    environ |= {"TERM": "xterm-256color", **({"HOME": home} if home else {})}
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environ, start_new_session=True, cwd=home)
    os.close(its)
    count, done = 0, False
    try:
        while not done and (select.select([ours], [], [], 60)[0]):
            try:
                data = os.read(ours, 65536)
            except OSError:
                break
            if not data:
                break
            count += len(data)
            wish = look(data)
            done = wish is True
            if isinstance(wish, bytes):
                os.write(ours, wish)
    finally:
        if done:
            process.terminate()
        process.wait(30)
        os.close(ours)
    return count


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=5000, help="of 40 characters; 5000 take 50 seconds")
    parser.add_argument("--quick", action="store_true", help="a run of a few seconds that shows that it works, not how fast")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--check", action="store_true", help="exit 1 when a limit is missed")
    parser.add_argument("--waiting", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--inside", metavar="REPORT", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

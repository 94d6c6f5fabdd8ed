"""Writes the golden journal: python -m tests.golden_journal FOLDER. The one in `tests/golden` was written once and stays as it is."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

import mmos
from mmos.cli.trace import lines
from mmos.encoding import KINDS
from mmos.hosts.ollama import chat_body
from mmos.journal import Journal
from mmos.prompting.request import requests_of
from mmos.rehearsal.pieces import Raw
from mmos.testing import Call, Fail, Model, Turn, consult, stage
from mmos.views.document import document
from mmos.views.listing import RUN_KINDS, runs
from mmos.views.run import RunView

ASKED = Call("escalate_to_user", {"question": "Which color?"})
TASK = "Paint the door — grün, 日本語, 🚪."


def count(number: int) -> str:
    """Count to a number."""
    return f"counted to {number}"


@mmos.tool(after_crash="repeat")
def halt() -> str:
    """End the process, as a crash does. It is not there when the run is resumed."""
    os._exit(9)


async def panel(context: mmos.Context, question: str) -> str:
    """Ask two judges side by side, and note it once."""
    judges = [mmos.Participant(name, "judge", system="You judge.", options={"temperature": 0}) for name in ("one", "two")]
    first, second = await asyncio.gather(*(context.ask(judge, question, memory="conversation:panel") for judge in judges))
    noted = await context.step("note", lambda: {"noted": question})
    return f"{first.text} {second.text} {noted['noted']}"


def roles(*arbiter: Turn) -> dict[str, Any]:
    return {
        "arbiter": list(arbiter),
        "coding": ["Like this: `x = 1`.", "And so."],
        "analysis": Model.scripted("analysis", ["It is long. " * 5000]),
        "judge": Model.scripted("judge", ["Yes.", "No."]),
    }


async def write(state: Path) -> dict[str, str]:
    """Runs of every kind. Returns their ids by name."""
    note = state / "note.txt"
    note.write_text("The door is old.\n")
    names: dict[str, str] = {}

    async def run(name: str, task: str, *arbiter: Turn, **more: Any) -> None:
        async with stage(roles(*arbiter), state=state, tools=[count, halt, panel]) as on:
            names[name] = (await on.app.run(task, **more)).run
            if name == "withdrawn":
                await on.app.withdraw(names[name])

    both: Sequence[Any] = [consult("coding", "How?"), Call("count", {"number": 3})]
    await run("answered", TASK, both, "It is **done**.", thread="door", files=[note])
    await run("continued", "And the wall?", "Blue.", thread="door")
    await run("withdrawn", "Sorry?", "Never mind.", thread="door")
    await run("waiting", "Choose.", Call("count", {"number": 1}), ASKED, options=mmos.RunOptions(on_question="wait"))
    await run("long", "Read it all.", consult("analysis", "All?"), "See above.")
    await run("panel", "Is it right?", Call("panel", {"question": "Right?"}), "They differ.")
    await run("limited", "For ever.", *(Call("count", {"number": number}) for number in range(9)), options=mmos.RunOptions(max_turns=2))
    await run("repaired", "Count.", Raw('I call it: {"name": "count", "arguments": {"number": "2",}}'), "Two.")
    await run("failed", "Say it.", Fail("the runner died"), Fail("the runner died"), Fail("the runner died"))
    await run("looped", "Again.", *[Call("count", {"number": 1})] * 4, "Enough.")
    note.unlink()
    return names


async def crash(state: Path) -> None:
    calls = [Call("count", {"number": 7}), Call("halt", {})]
    async with stage(roles(*calls), state=state, tools=[count, halt]) as on:
        await on.app.run("Count, then crash.", thread="crash")


async def seen(state: Path) -> dict[str, Any]:
    """What people see of each run, and a digest of each request that went to a model."""
    async with await Journal.open(state, read_only=True) as journal:
        listed = runs(await journal.read(kinds=RUN_KINDS), journal.alive, 0.0)
        entries = {row.run: await journal.read(run=row.run) for row in listed}
        threads = {row.run: await journal.read(thread=row.thread) for row in listed}
    return {
        row.run: {
            "status": row.status,
            "document": document(RunView.of(entries[row.run])),
            "lines": list(lines(entries[row.run])),
            "requests": [
                sha256(chat_body(request)).hexdigest()[:16]
                for entry, request in requests_of(threads[row.run])
                if entry.run == row.run and request
            ],
        }
        for row in listed
    }


def fields() -> dict[str, list[str]]:
    """The fields of every kind of event."""
    return {kind: list(event.__dataclass_fields__) for kind, event in sorted(KINDS.items())}


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    with TemporaryDirectory() as place:
        state = Path(place)
        names = asyncio.run(write(state))
        crashed = subprocess.run([sys.executable, "-m", "tests.golden_journal", "--crash", state], check=False)
        assert crashed.returncode == 9
        shown = asyncio.run(seen(state))
        names["crashed"] = next(run for run, one in shown.items() if one["status"] == "interrupted")
        with closing(sqlite3.connect(state / "journal.db")) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copyfile(state / "journal.db", folder / "journal.db")
    for name, value in (("names", names), ("seen", shown), ("events", fields())):
        (folder / f"{name}.json").write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "--crash":
        asyncio.run(crash(Path(sys.argv[2])))
    else:
        main(Path(sys.argv[1]))

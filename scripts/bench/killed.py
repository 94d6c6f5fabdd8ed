"""A run that is killed again and again: ten calls with effects, consultations inside consultations, and a tool that asks others and takes steps."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import mmos
from mmos.app.app import App
from mmos.config.load import load
from mmos.config.sources import find
from mmos.fleet.fleet import Fleet
from mmos.journal import Journal, Tuning
from mmos.rehearsal.personas import Model, Speed
from mmos.rehearsal.pieces import Call
from mmos.rehearsal.prompt import Prompt
from mmos.testing import configuration, consult

TASK = "Do all of it."
ANSWER = "All of it is done."
SPEED = Speed(load_seconds=0.02, prefill=100_000.0, decode=400.0)

SCRIPTS: dict[str, list[Any]] = {
    "arbiter": [
        Call("deposit", {"number": 1}),
        [consult("coding"), consult("analysis")],
        Call("deposit", {"number": 2}),
        Call("survey", {"topic": "locks"}),
        [Call("deposit", {"number": 3}), Call("deposit", {"number": 4})],
        consult("coding", "Is it still right?"),
        Call("deposit", {"number": 5}),
        Call("deposit", {"number": 6}),
        ANSWER,
    ],
    "coding": [
        consult("reasoning"),
        Call("deposit", {"number": 11}),
        "It is right so far.",
        Call("deposit", {"number": 12}),
        "It still is.",
    ],
    "reasoning": ["It has three parts, and each of them follows from the one before it."],
    "analysis": ["The figures agree with each other, as far as they go."],
    "first_judge": ["For my part, yes, with some doubts about the third."],
    "second_judge": ["For my part, no, because of the second."],
}
"""What each model writes. The arbiter makes ten calls."""

EFFECTS = (1, 2, 3, 4, 5, 6, 11, 12, 21, 22)
"""The numbers that must be in the ledger once each."""
IN_STEPS = (21, 22)
"""Those that steps of a tool write. A step that was cut off may begin again."""


def models() -> dict[str, Model]:
    return {name: Model.scripted(name, [_following(turns)], repeat=True, speed=SPEED) for name, turns in SCRIPTS.items()}


def _following(turns: Sequence[Any]) -> Callable[[Prompt], Any]:
    """The turn after those that are in the prompt. So a request that comes again gets the same reply."""
    return lambda prompt: turns[sum(message["role"] == "assistant" for message in prompt.messages)]


def config_for(url: str) -> dict[str, Any]:
    judges = {name for name in SCRIPTS if name.endswith("judge")}
    roles = {name: model for name, model in models().items() if name not in judges}
    tools = {"coding": {"tools": ["consult_reasoning_specialist", "deposit"]}}
    return configuration(roles, {"here": url}, {"specialists": tools, "fleet": {"warm_up": False}})


class Ledger:
    """A file with a line for each effect, and a line for each beginning of one. No line is written twice by a careful tool."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def lines(self) -> list[str]:
        return self._path.read_text("utf-8").split("\n")[:-1] if self._path.exists() else []

    def begun(self, number: int) -> int:
        return self.lines().count(f"begin {number}")

    def done(self, number: int) -> int:
        return self.lines().count(f"done {number}")


def tools(ledger: Ledger) -> Iterable[Callable[..., Any]]:
    """Tools with effects. After a crash, MMOS asks `settle` what became of a deposit."""

    def settle(arguments: Any) -> str:
        """Finish what is not done."""
        number = int(arguments["number"])
        if not ledger.done(number):
            ledger.write(f"done {number}")
        return f"deposited {number}"

    @mmos.tool(after_crash=settle)
    def deposit(number: int) -> str:
        ledger.write(f"begin {number}")
        ledger.write(f"done {number}")
        return f"deposited {number}"

    def step(number: int) -> Callable[[], str]:
        def take() -> str:
            ledger.write(f"begin {number}")
            return settle({"number": number})

        return take

    @mmos.tool(after_crash="repeat")
    async def survey(context: mmos.Context, topic: str) -> str:
        first = await context.step("open", step(21))
        judges = [mmos.Participant(name, name) for name in ("first_judge", "second_judge")]
        answers = await asyncio.gather(*(context.ask(judge, f"What of {topic}?") for judge in judges))
        last = await context.step("close", step(22))
        return " ".join([first, *(answer.text for answer in answers), last])

    return deposit, survey


async def main(config: str, state: str, ledger: str, pages: int) -> None:
    """Start the run, or resume the one that is there."""
    found = load(find(config, os.environ, Path.cwd()), environ=os.environ)
    async with await Journal.open(Path(state), tuning=Tuning(max_pages=pages)) as journal, Fleet.open(found, state=state) as fleet:
        app = App(found, fleet, journal, tools=list(tools(Ledger(Path(ledger)))))
        print("ready", flush=True)
        runs = await journal.read(kinds=("run_started",))
        await (app.resume(runs[0].run) if runs else app.run(TASK))


def serve() -> None:
    """For each line on stdin, do the work in a process of its own, which has nothing to import any more. Tell its id, and how it ended."""
    for line in sys.stdin:
        config, state, ledger, pages = json.loads(line)
        if not (child := os.fork()):
            asyncio.run(main(config, state, ledger, pages))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    import mmos.fleet.express
    import mmos.hosts.ollama  # the children import nothing

    serve()

#!/usr/bin/env python
"""Measures what keys of `models` bring a small model: the same requests bare and with each key, to the embedded model."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmos.calls.channels import SchemaChannel, in_words
from mmos.calls.coerce import coerce
from mmos.calls.spec import Spec
from mmos.calls.tool_choice import AUTO
from mmos.comparing.pairing import difference
from mmos.fitness.cases import Case, ExpectedCall
from mmos.fleet.asking import Ask
from mmos.fleet.fleet import Fleet
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.prompting.templates import Templates

MODEL = "smollm2:135m"
INSTRUCTION = "You can call tools. Call one when it helps with what the user wants. Otherwise answer in plain words."
WINDOW = 4096


@dataclass(frozen=True)
class Side:
    """A way to ask the model."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    calls_at_once: int | None = None


SIDES = (
    Side("bare"),
    Side("calls_at_once: 1", calls_at_once=1),
    Side("temperature: 0", {"temperature": 0}),
    Side("both", {"temperature": 0}, 1),
)


@dataclass(frozen=True)
class Result:
    named: bool
    """Whether it called exactly the right tools."""
    right: bool
    """Whether the arguments were right, too."""
    tokens: int
    seconds: float


def _spec(name: str, description: str, **properties: Any) -> Spec:
    return Spec(name, description, {"type": "object", "properties": properties, "required": list(properties)})


def cases() -> list[Case]:
    """Requests that want one call each."""
    text, whole = {"type": "string"}, {"type": "integer"}
    weather = _spec("get_weather", "The current weather of a city.", city=text)
    files = _spec("search_files", "Find files by a pattern like *.txt.", pattern=text)
    total = _spec("add_numbers", "Add up numbers.", numbers={"type": "array", "items": {"type": "number"}})
    ticket = _spec("set_ticket_state", "Change the state of a ticket.", ticket=whole, state={"enum": ["open", "in_progress", "closed"]})
    cities = ("Antwerp", "Boston", "Oslo", "Rome", "Lima", "Cairo", "Tokyo", "Delhi", "Quito", "Paris", "Berlin", "Madrid")
    found = [
        Case(city, f"What is the weather in {city}?", (weather,), (ExpectedCall("get_weather", {"city": (city,)}),)) for city in cities
    ]
    for ending in ("toml", "log", "py", "md", "rs", "csv", "yaml", "html"):
        patterns = (f"*.{ending}", f"**/*.{ending}", f".{ending}")
        found.append(
            Case(ending, f"Find all files that end with .{ending}.", (files,), (ExpectedCall("search_files", {"pattern": patterns}),))
        )
    for numbers in ([1, 2, 3], [10, 20], [4, 5, 6], [7, 30], [8, 9], [100, 200]):
        words = f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
        found.append(Case(words, f"Add up {words} with the tool.", (total,), (ExpectedCall("add_numbers", {"numbers": (numbers,)}),)))
    for number, state, words in (
        (4711, "closed", "closed"),
        (12, "open", "open again"),
        (77, "in_progress", "in progress"),
        (9, "closed", "done and closed"),
    ):
        expected = ExpectedCall("set_ticket_state", {"ticket": (number,), "state": (state,)})
        found.append(Case(str(number), f"Ticket {number} is {words}. Note that.", (ticket,), (expected,)))
    return found


async def ask(fleet: Fleet, side: Side, case: Case, model: str = MODEL) -> Result:
    """Ask the model one request, and read its reply as a run does."""
    channel = SchemaChannel(case.tools, Templates().text("schema"), choice=AUTO.at_most(side.calls_at_once))
    messages = [Message("system", f"{INSTRUCTION}\n\n{channel.prompt}"), in_words(Message("user", case.request))]
    request = ChatRequest(model, messages, WINDOW, format=channel.format, options={"num_predict": 128, "seed": 1, **side.options})
    begun = time.perf_counter()
    reply = await fleet.serve(Ask(request, (), urgent=False))
    seconds, calls = time.perf_counter() - begun, channel.read(reply).message.calls
    specs = {spec.name: spec for spec in case.tools}
    fits = all(call.name in specs and not coerce(call.arguments, specs[call.name].parameters).problems for call in calls)
    return Result(case.names_are_met(calls), bool(calls) and fits and case.is_met(calls), reply.usage.output_tokens, seconds)


async def measure(fleet: Fleet, chosen: Sequence[Case], model: str = MODEL) -> dict[str, list[Result]]:
    """The results of each side, on the same cases. The sides take turns, so that other work on the machine slows all of them."""
    found: dict[str, list[Result]] = {side.name: [] for side in SIDES}
    for case in chosen:
        for side in SIDES:
            found[side.name].append(await ask(fleet, side, case, model))
    return found


def table(found: Mapping[str, Sequence[Result]]) -> list[str]:
    lines, bare = [], found[SIDES[0].name]
    for name, results in found.items():
        mean = {what: sum(getattr(result, what) for result in results) / len(results) for what in ("named", "right", "tokens", "seconds")}
        line = f"{name:18} right tool {mean['named']:4.0%}  right call {mean['right']:4.0%}  {mean['tokens']:5.1f} tokens  {mean['seconds']:4.1f} s"
        if results is not bare:
            for what in ("named", "right"):
                one = difference([getattr(a, what) - getattr(b, what) for a, b in zip(results, bare, strict=True)])
                line += f"  {what} {one.mean:+.0%} [{one.low:+.0%}, {one.high:+.0%}]"
        lines.append(line)
    return lines


async def _main(limit: int) -> None:
    async with Fleet.open({"here": {"kind": "embedded"}}) as fleet:
        found = await measure(fleet, cases()[:limit])
    print(f"{MODEL}, {len(found['bare'])} requests that want one call, on the channel schema; differences to bare with 95 % intervals")
    print("\n".join(table(found)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=len(cases()), help="Take only the first ones.")
    asyncio.run(_main(parser.parse_args().cases))
    return 0


if __name__ == "__main__":
    sys.exit(main())

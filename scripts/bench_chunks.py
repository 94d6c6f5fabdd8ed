"""Counts on a rehearsal host how many planted facts of long texts are found on small windows: `just bench-chunks`. `--check` fails if one is lost."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass

from mmos.app.answer import Answer
from mmos.messages import File
from mmos.rehearsal.tokens import count
from mmos.testing import Model, stage

WORDS = ("river", "stone", "letter", "market", "garden", "engine", "paper", "winter", "harbour", "signal", "copper", "lantern", "ladder")
FACTS = 20
LINES = 40
"""The lines of a page."""


@dataclass(frozen=True)
class Case:
    name: str
    pages: int
    window: int


CASES = (Case("prose", 300, 8192), Case("prose", 300, 4096), Case("document", 150, 8192), Case("code", 150, 8192), Case("log", 100, 8192))


def page(kind: str, number: int, chance: random.Random) -> list[str]:
    def pick() -> str:
        return chance.choice(WORDS)

    match kind:
        case "document":
            return [f"## Section {number}\n\n", *(f"- The {pick()} needs a {pick()}.\n" for _ in range(LINES)), "\n"]
        case "code":
            return [f"def {pick()}_{number}_{line}():\n    return {pick()!r}\n\n\n" for line in range(LINES // 3)]
        case "log":
            return [f"2026-11-30 10:{number % 60:02}:{line:02} INFO {pick()} {pick()}\n" for line in range(LINES)]
    return [*(f"The {pick()} near the {pick()} was older than the {pick()}. " for _ in range(LINES)), "\n\n"]


def planted(case: Case, seed: int) -> tuple[str, list[str]]:
    """A text, and the facts in it."""
    chance = random.Random(seed)
    mark = {"code": "# ", "log": "2026-11-30 10:00:00 INFO "}.get(case.name, "")
    places = sorted(chance.sample(range(case.pages), FACTS))
    facts = {place: f"The vault number of {chance.choice(WORDS)}{place} is {chance.randrange(10_000, 99_999)}." for place in places}
    lines: list[str] = []
    for number in range(case.pages):
        new = page(case.name, number, chance)
        if number in facts:
            new.insert(chance.randrange(1, len(new)), f"{mark}{facts[number]}\n")
        lines += new
    return "".join(lines), list(facts.values())


async def read(case: Case, text: str, task: str) -> Answer:
    model = Model("arbiter", signature="", default="Nothing.")
    async with stage({"arbiter": model}, orchestration={"arbiter": {"context_window": case.window}}) as on:
        return await on.app.run(task, files=[File(f"{case.name}.txt", text)])


async def main(seed: int, *, check: bool) -> int:
    lost = 0
    for case in CASES:
        text, facts = planted(case, seed)
        begin = time.perf_counter()
        answer = await read(case, text, "What are the vault numbers?")
        seconds, size = time.perf_counter() - begin, count(text)
        found = sum(fact in (answer.text or "") for fact in facts)
        lost += len(facts) - found
        [divided] = answer.document()["divided"]
        used = answer.view.prompt_tokens
        print(
            f"{case.name:9} {len(text):9,} characters, window {case.window:,}: {found}/{len(facts)} facts found in {divided['parts']} parts; "
            f"{used:,} prompt tokens for {size:,} of the text ({used / size:.2f} times), {seconds:.1f} s"
        )
    return int(check and lost > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="fail if a fact is lost")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(main(arguments.seed, check=arguments.check)))

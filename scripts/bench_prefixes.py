"""Measures on rehearsal hosts how many prompt tokens conversations reuse: `just bench-prefixes`. `--check` fails below 90 %."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from mmos.prompting.reuse import Reuse, reuse_of
from mmos.rehearsal.prompt import Prompt
from mmos.testing import Call, Model, Turn, consult, stage

TURNS = 10
LEAST = 0.9
CASES: Mapping[str, Mapping[str, Any]] = {
    "consults in each turn": {},
    "on the schema channel": {"arbiter": {"channel": "schema"}},
    "with two phases in each turn": {
        "phases": {"initial": "plan", "plan": {"next": ["work"], "instructions": "Plan."}, "work": {"next": ["plan"]}}
    },
    "with a rule in each turn": {"routing": {"rules": [{"condition": "task.complexity >= 1", "specialist": "coding"}]}},
}


def arbiter(prompt: Prompt) -> Turn:
    """Consults once in each turn, changes the phase if there is one, then answers in a few sentences."""
    if len(prompt.results) == 1 and "change_phase" in prompt.toolbox:
        return Call("change_phase", {"phase": "work", "reason": "There is a plan."})
    return "The answer is this, and these are its reasons. " * 4 if prompt.results else consult("coding", "What do you say?")


def specialist(prompt: Prompt) -> str:
    return f"To this I say ({len(prompt.messages)}): " + "it depends on the case at hand. " * 6


async def reused(changes: Mapping[str, Any], profile: str = "0.34") -> list[Reuse]:
    """By the counts of a host that tells them: from version 0.34 on."""
    roles = {"arbiter": Model.scripted("arbiter", [arbiter], repeat=True), "coding": Model.scripted("coding", [specialist], repeat=True)}
    async with stage(roles, orchestration=changes, profile=profile) as on:
        for turn in range(TURNS):
            answer = await on.app.run(f"Question {turn}: what holds in this case, and what follows from it for the next?", thread="talk")
            assert answer.status == "answered", answer.reason
        return reuse_of(await on.app.journal.read(thread=answer.thread))


async def main(*, check: bool) -> int:
    worst = 1.0
    print(f"{TURNS} turns of one conversation:")
    for name, changes in CASES.items():
        for use in await reused(changes):
            print(f"  {name:30} {use.role:8} {use.share:6.1%} of {use.prompt_tokens:7,} prompt tokens, {use.requests} requests")
            worst = min(worst, use.share) if use.role == "arbiter" else worst
    return int(check and worst < LEAST)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help=f"fail if an arbiter reuses less than {LEAST:.0%}")
    sys.exit(asyncio.run(main(check=parser.parse_args().check)))

"""Measures on rehearsal hosts what a conversation of specialists costs beside one consultation of each: `just bench-talk`. `--check` fails above 5 times the tokens."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mmos.prompting.reuse import reuse_of
from mmos.rehearsal.prompt import Prompt
from mmos.testing import Call, Model, Turn, consult, stage

TASK = "Our service answers slowly since the last release. The query joins orders with customers and sorts by date. Which index do we need, and why?"
ANSWER = "The query reads all orders of a customer and sorts them, so an index on customer and date serves both at once. " * 8
SHORT = "The index on customer and date serves the join and the order, and the sort goes away. " * 2
MOST = 5.0
"""How many times as many tokens a conversation may cost."""
NAMES = ("coding", "reasoning", "analysis")

Cost = tuple[int, int, int]
"""Requests, tokens, and tokens without the part of the prompts that hosts had from earlier requests."""


def arbiter(names: Sequence[str], *, talks: bool) -> Model:
    """Consults everybody or lets them talk, passes every message, and answers."""

    def turn(prompt: Prompt) -> Turn:
        if "review" in prompt.toolbox:
            return Call("review", {"action": "pass", "reason": "Nothing in it is wrong as far as I can check."})
        if "conclude" in prompt.toolbox:
            return Call("conclude", {"verdict": SHORT, "reasons": ["It serves the join and the order."]})
        if not prompt.toolbox or prompt.results:
            return SHORT
        start = Call("start_multi_model_conversation", {"topic": "Which index do we need?", "participants": list(names), "mode": "direct"})
        return start if talks else [consult(name, "Which index do we need?") for name in names]

    return Model.scripted("arbiter", [turn], repeat=True)


def specialist(name: str) -> Model:
    def turn(prompt: Prompt) -> Turn:
        if "say" not in prompt.toolbox:
            return ANSWER
        critique = any("The topic again" in str(message) for message in prompt.messages)
        words, stance = (SHORT, "partly") if critique else (ANSWER, "new")
        return Call("say", {"to": "all", "stance": stance, "message": words, "claims": [f"{name} {stance}: one index serves both."]})

    return Model.scripted(name, [turn], repeat=True)


async def cost(names: Sequence[str], *, talks: bool, keys: Mapping[str, Any] | None = None) -> Cost:
    roles = {"arbiter": arbiter(names, talks=talks), **{name: specialist(name) for name in names}}
    orchestration = {"conversation": dict(keys or {})}
    async with stage(roles, orchestration=orchestration, profile="0.34") as on:  # a version that tells what it reused
        answer = await on.app.run(TASK)
        assert answer.status == "answered", answer.reason
        usage = answer.document()["usage"]
        reused = sum(one.reused_tokens for one in reuse_of(await on.app.journal.read(run=answer.run)))
    tokens = usage["prompt_tokens"] + usage["output_tokens"]
    return usage["model_calls"], tokens, tokens - reused


async def main(*, check: bool) -> int:
    worst = 0.0
    for names in (NAMES[:2], NAMES):
        base = await cost(names, talks=False)
        print(
            f"{len(names)} specialists consulted once each: {base[0]} requests, {base[1]:,} tokens, {base[2]:,} of them new to their hosts"
        )
        for title, keys in (("a conversation", {}), ("the same without reviews", {"arbiter_reviews_all": False})):
            found = await cost(names, talks=True, keys=keys)
            ratios = found[1] / base[1], found[2] / base[2]
            print(
                f"  {title:26} {found[0]} requests, {found[1]:,} tokens ({ratios[0]:.1f} times), {found[2]:,} new ({ratios[1]:.1f} times)"
            )
            worst = max(worst, ratios[0])
    return int(check and worst > MOST)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help=f"fail if a conversation costs more than {MOST:g} times the tokens")
    sys.exit(asyncio.run(main(check=parser.parse_args().check)))

#!/usr/bin/env python
"""Measures how far estimates of prompts are from what hosts count, for tokenizers of several kinds: in threads that grow, and in fresh prompts."""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from bench.tokenizers import Tokenize, scripted, smollm

from mmos.events import Entry, LaneClosed, LaneOpened, ModelAsked, ModelReplied
from mmos.messages import Message, Usage
from mmos.prompting.compose import Plan, Scale, Space, compose
from mmos.prompting.frame import Frame
from mmos.prompting.gauge import Gauge
from mmos.views.conversation import Conversation

ROOT = Path(__file__).resolve().parent.parent
WARM_UP = 5
"""The first estimates do not count."""
MODEL, ROLE = "m", "arbiter"
CHINESE = "用户提出一个问题，仲裁者决定由哪位专家来回答，然后把所有的答案整理成一个完整的回复。每个模型都有自己的窗口。"


@dataclass
class Thread:
    """One conversation as MMOS keeps it, with a model that counts tokens in its own way."""

    tokenize: Tokenize
    gauge: Gauge
    frame: Frame
    conversation: Conversation = field(default_factory=Conversation)
    scale: Scale = field(default_factory=Scale)
    runs: int = 0

    def exchange(self, question: str, answer: str) -> float:
        """One more exchange. Returns how far the estimate of its prompt is from the count, as a share of the count."""
        self.runs += 1
        self._record(LaneOpened(ROLE, ROLE, Message("user", question)))
        lane = self.conversation.lanes[str(self.runs), ROLE]
        plan = compose(self.frame, lane, self.scale, Space(1 << 40, MODEL, self.gauge.of(MODEL)), skip=0)
        tokens = sum(map(self._tokens, [self.frame.system, *lane.before(), *lane.messages])) + self.tokenize(self.frame.tools.decode())
        self._record(ModelAsked("a1", ROLE, ROLE, MODEL, frame=self.frame.event.frame))
        self._record(ModelReplied("a1", ROLE, ROLE, MODEL, "h", Message("assistant", answer), Usage(tokens)))
        self._record(LaneClosed(ROLE, ROLE, "answered"))
        self._learn(plan, tokens)
        return abs(plan.tokens - tokens) / tokens

    def _learn(self, plan: Plan, tokens: int) -> None:
        if rates := self.gauge.learn(MODEL, plan.counts, tokens):
            self.gauge.take(MODEL, rates)

    def _tokens(self, message: Message) -> int:
        return self.tokenize(f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n")

    def _record(self, event: object) -> None:
        self.conversation.apply(Entry(str(self.runs), "t", 0.0, event))  # type: ignore[arg-type]


def texts(chance: random.Random) -> Iterator[str]:
    """Parts of texts of several kinds, as they are in conversations, without an end."""
    english = [part for page in sorted((ROOT / "docs").glob("*.md")) for part in page.read_text().split("\n\n") if len(part) > 80]
    code = [part for file in sorted((ROOT / "mmos/prompting").glob("*.py")) for part in file.read_text().split("\n\n\n") if len(part) > 80]
    kinds: list[Callable[[], str]] = [
        lambda: "\n\n".join(chance.choices(english, k=chance.randint(1, 3))),
        lambda: "\n\n".join(chance.choices(english, k=1)),
        lambda: chance.choice(code),
        lambda: orjson.dumps([{"id": chance.randrange(10**6), "name": f"Widget {n}", "price": chance.random()} for n in range(chance.randint(3, 12))]).decode(),
        lambda: "\n".join(f"2024-05-17T08:31:{n:02}.418Z ERROR [worker-{n}] pool: timeout after {chance.randrange(30000)} ms (host=10.0.4.17)" for n in range(chance.randint(3, 10))),
    ]  # fmt: skip
    while True:
        yield chance.choice(kinds)()


def frame() -> Frame:
    properties = {name: {"type": "string", "description": f"The {name} of the question."} for name in ("query", "context")}
    tools = [
        {
            "type": "function",
            "function": {"name": f"consult_{role}_specialist", "parameters": {"type": "object", "properties": properties, "required": ["query"]}},
        }
        for role in ("coding", "reasoning", "analysis")
    ]  # fmt: skip
    return Frame(Message("system", (ROOT / "prompts/arbiter.md").read_text()), tools=orjson.dumps(tools))


def errors(tokenize: Tokenize, source: Callable[[random.Random], Iterator[str]], *, grows: bool, seed: int = 1) -> list[float]:
    """The errors of the estimates of a thread of 40 exchanges, or of 40 threads that continue none."""
    parts, gauge, first = source(random.Random(seed)), Gauge(), frame()
    thread = Thread(tokenize, gauge, first)
    found: list[float] = []
    for _ in range(40):
        if not grows:
            thread = Thread(tokenize, gauge, first)
        found.append(thread.exchange(next(parts), next(parts)))
    return found[WARM_UP:]


def chinese(chance: random.Random) -> Iterator[str]:
    others = texts(chance)
    while True:
        yield CHINESE * chance.randint(1, 6) if chance.random() < 0.7 else next(others)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", action="store_true", help="also the tokenizer of SmolLM2, which needs the package with its weights")
    given = parser.parse_args()
    tokenizers = scripted()
    if given.real:
        tokenizers["SmolLM2"] = smollm()
    print(f"{'':24}{'a thread that grows':>22}{'fresh prompts':>22}\n{'':24}{'median':>12}{'worst':>10}{'median':>12}{'worst':>10}")
    for name, tokenize in tokenizers.items():
        source = chinese if "CJK" in name else texts
        cells = ""
        for grows in (True, False):
            found = errors(tokenize, source, grows=grows)
            cells += f"{statistics.median(found):12.1%}{max(found):10.1%}"
        print(f"{name:24}{cells}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

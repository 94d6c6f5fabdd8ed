#!/usr/bin/env python
"""Measures how long it takes to compose the prompt of a turn in a thread of 1,000 messages, and in one that is composed for the first time."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mmos.events import Entry, Event, LaneClosed, LaneOpened, ModelAsked, ModelReplied
from mmos.messages import Message, Usage
from mmos.prompting.compose import Scale, Space, compose
from mmos.prompting.frame import Frame
from mmos.views.conversation import Conversation, Lane

ROOT = Path(__file__).resolve().parent.parent
ROLE, MODEL, WINDOW = "arbiter", "m", 1 << 20
FRAME = Frame(Message("system", (ROOT / "prompts/arbiter.md").read_text()), tools=b'[{"type": "function", "function": {"name": "look"}}]')
TEXT = (ROOT / "README.md").read_text()[:600]


def thread(messages: int) -> Lane:
    """The newest exchange of a thread with so many messages before it. A host has counted each prompt."""
    conversation = Conversation()
    for number in range(messages // 2):
        for event in exchange(f"{number}. {TEXT}", number):
            conversation.apply(Entry(str(number), "t", 0.0, event))
    conversation.apply(Entry("now", "t", 0.0, LaneOpened(ROLE, ROLE, Message("user", "And now?"))))
    return conversation.lanes["now", ROLE]


def exchange(text: str, number: int) -> list[Event]:
    asked = ModelAsked("a1", ROLE, ROLE, MODEL, frame=FRAME.event.frame)
    replied = ModelReplied("a1", ROLE, ROLE, MODEL, "h", Message("assistant", text), Usage(1500 + 300 * number))
    return [LaneOpened(ROLE, ROLE, Message("user", text)), asked, replied, LaneClosed(ROLE, ROLE, "answered")]


def milliseconds(work: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return statistics.median(found) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, metavar="N")
    given = parser.parse_args()
    lane, space = thread(given.messages), Space(WINDOW, MODEL)
    scale = Scale()
    print(f"{given.messages} messages: composing the prompt of a turn (median)")
    print(f"{milliseconds(lambda: compose(FRAME, lane, Scale(), space, skip=0), 9):10.3f} ms in a process that has just begun")
    print(f"{milliseconds(lambda: compose(FRAME, lane, scale, space, skip=0), 99):10.3f} ms after that")
    print(
        f"{milliseconds(lambda: compose(FRAME, lane, scale, space._replace(window=4096), skip=0), 99):10.3f} ms where most of it must be left out"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Chooses the tools that fit a task by its words, where a role has more than a model should read at once; pure functions of what is in the journal."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import orjson

from mmos.calls.spec import Spec
from mmos.messages import Message
from mmos.views.conversation import Lane

FIND_TOOLS = "find_tools"
MOST_WORDS = 2_000
"""Words of a task that count."""
BEST = 4
"""Tools that a later task of a conversation brings into the prompt."""
MOST_FOUND = 8
"""Tools that one search finds."""

_WORD = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ENDINGS = ("ings", "ing", "ies", "ied", "es", "ed", "er", "s", "e", "y")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by for from how in into is it its my of on or our that the their this to was what when which who why with",
    )
)
_LEAST = 3
"""Letters that stay when an ending goes."""
_NAME, _REST = 3, 1
"""How much a word of the name of a tool counts, and one of its description or its arguments."""


def words(text: str) -> list[str]:
    """The words of a text without their usual endings. A script without spaces gives pairs of signs."""
    found = (word.lower() for word in _WORD.findall(_CAMEL.sub(" ", text)))
    return [part for word in found if word not in _COMMON for part in _parts(word)]


def _parts(word: str) -> list[str]:
    if len(word) > 1 and ord(word[0]) > 0x2E80:
        return [word[place : place + 2] for place in range(len(word) - 1)]
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _LEAST), "")
    return [word[: len(word) - len(ending)]]


class Index:
    """The words of tools."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self._weights = {spec.name: _weights(spec) for spec in specs}
        seen = Counter(word for weights in self._weights.values() for word in weights)
        self._rarity = {word: math.log(1 + len(specs) / count) for word, count in seen.items()}

    def ranked(self, query: str) -> list[str]:
        """The tools that share words with a text, the best first; equal ones in their order. Rare words count more."""
        asked = set(words(query)[:MOST_WORDS])
        scores = {
            name: sum(weight * self._rarity[word] for word, weight in found.items() if word in asked)
            for name, found in self._weights.items()
        }
        return sorted((name for name, score in scores.items() if score), key=lambda name: -scores[name])


def _weights(spec: Spec) -> dict[str, int]:
    properties = spec.parameters.get("properties", {})
    told = [part.get("description", "") for part in properties.values() if isinstance(part, dict)]
    rest = dict.fromkeys(words(" ".join(map(str, [spec.description, *properties, *told]))), _REST)
    return {**rest, **dict.fromkeys(words(spec.name), _NAME)}


@dataclass(frozen=True)
class Shortlist:
    """Which tools of a role are offered when it has too many. All others than `specs` are always offered."""

    specs: Sequence[Spec]
    """Tools that may be left out."""
    limit: int
    """How many of them a prompt offers."""

    @cached_property
    def index(self) -> Index:
        return Index(self.specs)

    def left_out(self, lane: Lane) -> frozenset[str]:
        """The tools that a prompt in this lane does not offer.

        Only what the lane has counts, so a run that is resumed or replayed offers the same: the words that it began with,
        the tools that were called in its conversation, and those that `find_tools` has found.
        """
        names = [spec.name for spec in self.specs]
        before, now = _called(lane.before()), _called(lane.messages)
        found = {name for message in lane.messages if message.tool_name == FIND_TOOLS for name in names_in(message.content)}
        new = [name for name in self._fitting(lane, names) if name not in before]
        chosen = new[: max(0, self.limit - len(before.intersection(names)))]  # what the exchange does takes none of them away
        return frozenset(names).difference(chosen, before, now, found)

    def _fitting(self, lane: Lane, names: Sequence[str]) -> list[str]:
        """The tools that fit the first task of the conversation, and then the best ones for each later task before those.

        So tasks that need what is there change nothing at the beginning of the prompt, which the host has read already.
        """
        starts = lane.history.starts[: lane.past]
        tasks = [*(lane.history.messages[start] for start in starts), *lane.messages[:1]]
        fitting = list(dict.fromkeys([*(self._ranked(tasks[0]) if tasks else ()), *names]))
        for task in tasks[1:]:
            best = self._ranked(task)[:BEST]
            if not set(best).issubset(fitting[: self.limit]):
                fitting = [*best, *(name for name in fitting if name not in best)]
        return fitting

    def _ranked(self, task: Message) -> list[str]:
        """The message keeps it, because it is in the prompts of many turns."""
        return task.form(self._key, lambda message: self.index.ranked(message.content))

    @cached_property
    def _key(self) -> str:
        return f"ranked:{blake2b(repr(self.specs).encode(), digest_size=8).hexdigest()}"


def _called(messages: Iterable[Message]) -> set[str]:
    return {call.name for message in messages for call in message.calls}


def names_in(result: str) -> Iterable[str]:
    """The names in a result of `find_tools`."""
    try:
        tools = orjson.loads(result)["tools"]
        return [tool["name"] for tool in tools]
    except (ValueError, KeyError, TypeError):  # an error, or a result that was replaced by a reference
        return ()

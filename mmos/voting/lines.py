"""Votes on given answers, one line of JSON for each question, as `mmos patterns tally` does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from mmos.voting.ballot import KINDS, Ballot, Kind, ballot, ballots, kind_of
from mmos.voting.called import called, names_of
from mmos.voting.cascade import Cascade
from mmos.voting.choices import options_in
from mmos.voting.ranking import RANKED, items_of, ranking
from mmos.voting.structures import is_expectation, is_met
from mmos.voting.tally import Same, Tally, tally
from mmos.voting.trust import Mark, Trust
from mmos.voting.wording import same

if TYPE_CHECKING:
    from mmos.calls.naming import Names

How = Literal["auto", "majority", "weighted", "ranked", "best"]
WAYS: tuple[How, ...] = get_args(How)
LIKELY: Mapping[Kind, int] = {"yes_no": 2, "label": 3, "number": 4, "choice": 5, "tool_calls": 6, "json": 6, "text": 6}
"""How many answers are likely to a question of each kind, where it does not say its options."""


def likely(kind: Kind, question: str) -> int:
    """How many answers to a question are likely. The more, the more it says when two agree."""
    return len(options_in(question)) or LIKELY[kind]


SHORT: Collection[Kind] = ("choice", "number", "yes_no", "label")
"""Kinds of which the vote alone is the answer."""


@dataclass(frozen=True)
class Poll:
    """One question with the answers of several models."""

    kind: Kind
    question: str
    answers: Mapping[str, Any]
    group: str = ""
    truth: Any = None
    names: Names | None = None
    """The tools that the models could call."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Poll:
        """The poll of a line. Raises `ValueError`, which says what is wrong with the line."""
        answers, kind, question = row.get("answers"), row.get("kind"), row.get("question", "")
        if not isinstance(answers, Mapping) or not answers:
            raise ValueError('it has no "answers": {MODEL: text}')
        if not isinstance(question, str):
            raise ValueError('"question" is no text')  # noqa: TRY004  # a wrong line, not a wrong type of ours
        if kind is None:
            kind = kind_of(question, [text for text in answers.values() if isinstance(text, str)])
        if kind not in KINDS:
            raise ValueError(f'"kind" is {kind!r}, allowed: {", ".join(KINDS)}')
        group = row.get("group")
        return cls(kind, question, answers, group if isinstance(group, str) else kind, row.get("truth"), names_of(row.get("tools")))

    @cached_property
    def given(self) -> Mapping[str, str | Sequence[Any] | None]:
        """The answers, with the calls that stand in texts."""
        return {model: self._read(answer) for model, answer in self.answers.items()}

    @cached_property
    def ballots(self) -> dict[str, Ballot]:
        return ballots(self.kind, self.given, self.question)

    @cached_property
    def rankings(self) -> dict[str, Ballot]:
        """The votes of answers that may rank several choices."""
        if self.kind not in RANKED:
            return self.ballots
        return {model: ranking(self.kind, answer, self.question) for model, answer in self.answers.items()}

    def answer_of(self, model: str, vote: str | None) -> Any:
        """What a model behind a vote answers: the choice, the number or the label alone, and else all it says, or what it ranks."""
        if self.kind in SHORT:
            return vote
        if self.kind not in RANKED:
            return self.given.get(model)
        items = (item for item in items_of(self.answers.get(model)) if ballot(self.kind, item, self.question).vote == vote)
        return next(items, self.given.get(model))

    def _read(self, answer: Any) -> str | Sequence[Any] | None:
        if self.kind == "tool_calls":
            return called(answer, self.names)
        return answer if isinstance(answer, str) else None

    @property
    def options(self) -> int:
        return likely(self.kind, self.question)

    @property
    def same(self) -> Same | None:
        """When two votes mean the same. Texts are compared by their words; of all else the normal forms must be equal."""
        return same if self.kind == "text" else None

    def marks(self) -> Iterable[Mark]:
        """Which answers are right, by the truth of the line."""
        if self.kind == "tool_calls" and is_expectation(self.truth):
            yield from (Mark(self.group, model, is_met(self.truth, answer)) for model, answer in self.given.items())
            return
        truth = ballot(self.kind, self._read(_text(self.truth)), self.question).vote
        if truth is not None:
            yield from (Mark(self.group, model, self._is_same(one.vote, truth)) for model, one in self.ballots.items())

    def _is_same(self, vote: str | None, truth: str) -> bool:
        return vote == truth or (vote is not None and self.same is not None and self.same(vote, truth))


@dataclass(frozen=True)
class Verdict:
    """What came of a poll."""

    tally: Tally
    answer: Any
    """What won, as the most trusted model behind it says it. None: nobody has an answer."""
    asked: tuple[str, ...]
    """Whom MMOS would have asked, in this order."""
    how: How

    def as_line(self) -> dict[str, Any]:
        return {
            "answer": self.answer, "vote": self.tally.vote, "asked": list(self.asked), "from": list(self.tally.behind),
            "agreement": self.tally.agreement, "voting": self.how, "abstained": list(self.tally.abstained), "tie": self.tally.is_tie,
        }  # fmt: skip


def decided(poll: Poll, how: How, trust: Trust) -> Verdict:
    """Vote on given answers."""
    ballots = poll.rankings if how == "ranked" else poll.ballots
    cascade = Cascade(list(poll.answers), trust, poll.group, poll.options, same=poll.same)
    order = cascade.order() if how == "auto" else trust.order(poll.answers, poll.group)
    if how == "auto":
        cast: dict[str, Ballot] = {}
        while following := cascade.next(cast):
            cast |= {name: ballots[name] for name in following}
        asked, result = tuple(cast), cascade.result(cast)
    elif how == "best":
        asked = tuple(order[:1])
        result = tally({name: ballots[name] for name in asked})
    else:
        asked = tuple(order)
        weights = trust.weights({name: name for name in order}, poll.group, poll.options)
        result = tally({name: ballots[name] for name in order}, how, weights=weights, same=poll.same)
    chosen = next((name for name in order if name in result.behind), "")
    return Verdict(result, poll.answer_of(chosen, result.vote), asked, how)


def _text(truth: Any) -> Any:
    """A truth as an answer would say it: 42 and true are no texts in JSON."""
    if isinstance(truth, bool):
        return "yes" if truth else "no"
    return str(truth) if isinstance(truth, int | float) else truth


def learned(rows: Iterable[Mapping[str, Any]]) -> Trust:
    """How far each model is to be trusted, from lines that have a `truth`."""
    return Trust.of(mark for row in rows if row.get("truth") is not None for mark in Poll.of(row).marks())

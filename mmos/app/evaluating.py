"""Says whether a pattern is better than its best member on the user's cases, and keeps what came of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import orjson

from mmos.app.contest import Contest, Hall
from mmos.app.standing import comparison_of, score_of
from mmos.choice.classifier import classifier_of
from mmos.comparing.comparison import WITHIN, Comparison
from mmos.comparing.outcome import Pair, Standing
from mmos.comparing.verdict import verdict_of
from mmos.config.load import Config
from mmos.config.patterns_schema import Pattern
from mmos.config.ready_patterns import READY, pattern_of
from mmos.config.wording import perhaps
from mmos.errors import StateError, UsageError
from mmos.journal import Journal, new_id
from mmos.names import PATTERN
from mmos.pattern_events import PatternEvaluated


class Place(Hall, Protocol):
    """Where a pattern is evaluated: an `App`."""

    config: Config
    journal: Journal
    rehearsed: bool


@dataclass(frozen=True)
class Evaluation:
    """A pattern against its best member. `text` says in sentences what came of it."""

    pattern: str
    comparison: Comparison
    """Of the pattern and all of its members."""
    pair: Pair | None
    """The pattern and its best member. None: they have no case in common."""
    wins: bool
    text: str

    @property
    def best(self) -> str:
        return self.pair.b if self.pair else ""

    def verdict_document(self) -> dict[str, Any]:
        """What its document has beside the comparison."""
        return {"pattern": self.pattern, "best_member": self.best or None, "wins": self.wins, "verdict": self.text}

    def document(self) -> dict[str, Any]:
        """The evaluation as a JSON value."""
        return {**only(self.comparison, self.pair).document(), **self.verdict_document()}


def sides_of(config: Config, name: str) -> list[str]:
    """The pattern, and each of its members alone, as sides of a comparison."""
    pattern = pattern_of(config.orchestration, name)
    if pattern is None:
        known = _names(config)
        raise UsageError(f"There is no pattern {name!r}{perhaps(name, known) or '.'}", next_step=f"There are: {', '.join(known)}.")
    if not pattern.enabled:
        raise UsageError(f"The pattern {name} is switched off.", next_step=f"Write `enabled: true` in patterns.{name}.")
    sides = [f"{PATTERN}{name}", *dict.fromkeys(_spelled(pattern))]
    if sides[0] in sides[1:]:
        raise UsageError(f"The pattern {name} takes part in itself.")
    return sides


def _names(config: Config) -> list[str]:
    """All patterns, those that are built in, too."""
    return list(dict.fromkeys((*config.orchestration.patterns, *READY)))


def _spelled(pattern: Pattern) -> list[str]:
    found = []
    for member in pattern.models:
        alone = isinstance(member.server, str) and "@" not in (member.model or "")
        found.append(f"role:{member.role}" if member.role else f"{member.model}@{member.server}" if alone else str(member.model))
    return found


def evaluation_of(contest: Contest, name: str, within: float = WITHIN, seed: int = 0) -> Evaluation:
    """What the answers so far say."""
    whole = comparison_of(contest, within, seed)
    side = f"{PATTERN}{name}"
    best = _best(whole.standings[1:])
    pairs = comparison_of(contest, within, seed, (side, best.side)).pairs if best else ()
    if not pairs:
        return Evaluation(
            name, whole, None, wins=False, text="No case has an answer of the pattern and of a member, so nothing can be said."
        )
    verdict = verdict_of(pairs[0])
    wins = verdict.kind == "better" and verdict.side == side
    head = f"{name} is better than its best member {pairs[0].b}" if wins else f"{name} does not win against its best member {pairs[0].b}"
    return Evaluation(name, whole, pairs[0], wins, f"{head}. {verdict.text}{_cost(whole.standings[0], best)}")


def _best(members: Sequence[Standing]) -> Standing | None:
    """The member with the best answers; of equals the cheapest."""
    scored = [one for one in members if one.mean is not None]
    return max(scored, key=lambda one: (one.mean or 0.0, -(one.cost.gpu_seconds or 0.0)), default=members[0] if members else None)


def _cost(pattern: Standing, best: Standing | None) -> str:
    mine, other = pattern.cost.gpu_seconds, best.cost.gpu_seconds if best else None
    if not mine or not other:
        return ""
    return f" It takes {mine:.1f} GPU-seconds, and the member {other:.1f}: {mine / other:.1f} times as many."


async def keep(app: Place, contest: Contest, evaluation: Evaluation) -> None:
    """Keep it in the journal: `mmos doctor` reads it, and votes learn from it whom to trust."""
    if evaluation.pair is None:
        return
    standings = {one.side: one for one in evaluation.comparison.standings}
    mine, best, found = standings[evaluation.pair.a], standings[evaluation.best], evaluation.pair.difference
    event = PatternEvaluated(
        evaluation.pattern, _digests(app.config)[evaluation.pattern], evaluation.best, evaluation.wins, evaluation.text,
        found.cases, mine.mean or 0.0, best.mean or 0.0, f"{100 * max(found.low, -1):.1f} to {100 * min(found.high, 1):.1f}",
        mine.cost.gpu_seconds, best.cost.gpu_seconds, _right(contest), app.rehearsed,
    )  # fmt: skip
    app.journal.append("", new_id(), event)
    await app.journal.durable()


def digest_of(pattern: Pattern) -> str:
    """Of all that the keys of a pattern say."""
    return blake2b(orjson.dumps(pattern.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _digests(config: Config) -> dict[str, str]:
    found = {name: pattern_of(config.orchestration, name) for name in _names(config)}
    return {name: digest_of(pattern) for name, pattern in found.items() if pattern is not None}


def _right(contest: Contest) -> Mapping[str, Mapping[str, list[int]]]:
    """How often each member was right, by the kind that the classifier sees in a task."""
    counts: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
    classifier = classifier_of({})
    for attempt in contest.attempts:
        given = contest.given.get(attempt.number)
        if given is None or attempt.entrant.name.startswith(PATTERN):
            continue
        score = score_of(attempt.entrant.name, attempt.case, given).score
        if score is None or given.text is None:
            continue
        model = contest.app.cast(attempt.entrant.options)[attempt.entrant.options.answering].role.model
        of_kind = counts[classifier.classify(attempt.case.task).type or ""].setdefault(model, [0, 0])
        of_kind[0] += score >= 1
        of_kind[1] += 1
    return counts


async def evaluations(journal: Journal, config: Config, *, rehearsed: bool = False) -> dict[str, PatternEvaluated]:
    """The newest evaluation of each pattern as it is configured now."""
    digests = _digests(config)
    events = [entry.event for entry in await journal.read(kinds=(PatternEvaluated.kind,))]
    return {
        event.name: event
        for event in events
        if isinstance(event, PatternEvaluated) and event.rehearsed is rehearsed and digests.get(event.name) == event.digest
    }


async def kept(folder: Path, config: Config) -> dict[str, PatternEvaluated]:
    """The same, out of a state folder that may not be there. Rehearsals do not count."""
    if not (folder / "journal.db").is_file():
        return {}
    try:
        async with await Journal.open(folder, read_only=True) as journal:
            return await evaluations(journal, config)
    except StateError:  # `mmos doctor` says what is wrong with it
        return {}


def finished(contest: Contest) -> bool:
    """Whether every answer is there."""
    return all(one.number in contest.given for one in contest.attempts)


def only(comparison: Comparison, pair: Pair | None) -> Comparison:
    """The comparison with one pair, for people."""
    return replace(comparison, pairs=[pair] if pair else [])

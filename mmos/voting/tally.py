"""Counts ballots: by heads, by weights, or by ranks; and says how sure the result is and who disagrees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mmos.voting.ballot import Ballot

Voting = Literal["majority", "weighted", "ranked"]
Same = Callable[[str, str], bool]
TIE = 1e-9


@dataclass(frozen=True)
class Tally:
    """The result of a vote."""

    vote: str | None
    """What won. None: all abstain."""
    behind: tuple[str, ...] = ()
    """Who stands behind it, in the order of the ballots."""
    agreement: float = 0.0
    """The share of the votes behind it, or of the points that it could have. Who abstains counts as a voice that is not behind it."""
    against: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The other votes, the strongest first, with who stands behind each."""
    abstained: tuple[str, ...] = ()
    is_tie: bool = False


def tally(
    ballots: Mapping[str, Ballot], voting: Voting = "majority", *, weights: Mapping[str, float] | None = None, same: Same | None = None
) -> Tally:
    """Count ballots by who cast them. Their order decides between equals: put the most trusted first.

    Args:
        ballots: The ballots, by the names of the voters.
        voting: majority (by heads), weighted (by `weights`) or ranked (each ballot is a ranking, its lines from the best to the worst).
        weights: What each vote counts. Default: all the same.
        same: Whether two votes mean the same. Default: only if they are equal.
    """
    voters = {name: one.vote for name, one in ballots.items() if one.vote is not None}
    abstained = tuple(name for name in ballots if name not in voters)
    if not voters:
        return Tally(None, abstained=abstained)
    strength = {name: 1.0 if voting == "majority" or weights is None else weights.get(name, 1.0) for name in voters}
    groups = _ranked(voters, strength) if voting == "ranked" else _grouped(voters, strength, same)
    (vote, behind, best), *others = sorted(groups, key=lambda group: -group[2])
    against = {other: tuple(names) for other, names, _ in others if names}
    is_tie = bool(others) and best - others[0][2] <= TIE
    total = sum(strength.values())
    if not total:
        return Tally(vote, tuple(behind), round(len(behind) / len(ballots), 4), against, abstained, is_tie)
    most = max(len(ranking_of(one)) for one in voters.values()) if voting == "ranked" else 1
    return Tally(vote, tuple(behind), round(best / most / (total * len(ballots) / len(voters)), 4), against, abstained, is_tie)


Group = tuple[str, list[str], float]
"""A vote, who stands behind it, and what that counts."""


def _grouped(voters: Mapping[str, str], strength: Mapping[str, float], same: Same | None) -> list[Group]:
    """Equal votes together. A vote belongs to the first group whose first vote means the same."""
    members: dict[str, list[str]] = {}
    for name, vote in voters.items():
        known = vote if vote in members else next((other for other in members if same is not None and same(other, vote)), vote)
        members.setdefault(known, []).append(name)
    return [(vote, names, sum(strength[name] for name in names)) for vote, names in members.items()]


def _ranked(voters: Mapping[str, str], strength: Mapping[str, float]) -> list[Group]:
    """By points (Borda): the first of n lines gets n points, the next one less. Behind a choice are those who rank it first."""
    rankings = {name: ranking_of(vote) for name, vote in voters.items()}
    most = max(map(len, rankings.values()))
    points, behind = dict[str, float](), dict[str, list[str]]()
    for name, ranking in rankings.items():
        for place, choice in enumerate(ranking):
            points[choice] = points.get(choice, 0.0) + strength[name] * (most - place)
            behind.setdefault(choice, []).extend([name] if place == 0 else [])
    return [(choice, behind[choice] or _highest(rankings, choice), count) for choice, count in points.items()]


def _highest(rankings: Mapping[str, Sequence[str]], choice: str) -> list[str]:
    """Who ranks a choice highest that nobody ranks first."""
    places = {name: ranking.index(choice) for name, ranking in rankings.items() if choice in ranking}
    return [name for name, place in places.items() if place == min(places.values())]


def ranking_of(vote: str) -> Sequence[str]:
    """The choices of a ballot from the best to the worst: one in a line."""
    return list(dict.fromkeys(vote.split("\n")))

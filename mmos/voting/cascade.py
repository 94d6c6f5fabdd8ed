"""Says whom to ask next, and when enough models agree: two are asked first, and others only while they disagree."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mmos.voting.ballot import Ballot
from mmos.voting.tally import Same, Tally, tally
from mmos.voting.trust import Trust, is_of_other_family

ENOUGH = 2
"""So many models that say the same end it."""
NEAR = 0.08
"""How much less a model of another family may be trusted than the next best one, to be asked in its place."""


@dataclass(frozen=True)
class Cascade:
    """The order in which models are asked about one question."""

    models: Sequence[str]
    """Their names, in the order in which the user gave them."""
    trust: Trust = field(default_factory=Trust)
    group: str = ""
    options: int = 4
    """How many answers are likely: the more, the more it says when two agree."""
    resident: Collection[str] = ()
    """Models that are in memory: between equals, they come first."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The models behind the names, where these differ."""
    same: Same | None = None

    def order(self) -> list[str]:
        """All, in the order of asking: the best, the best of another family, and then by trust."""
        ranked = sorted(self.models, key=lambda name: (-round(self._share(name), 3), name not in self.resident))
        if len(ranked) < 3:
            return ranked
        best, rest = ranked[0], ranked[1:]
        near = [name for name in rest if self._share(name) > self._share(rest[0]) - NEAR]
        second = next((name for name in near if is_of_other_family(self._model(name), self._model(best))), rest[0])
        return [best, second, *(name for name in rest if name != second)]

    def next(self, ballots: Mapping[str, Ballot]) -> list[str]:
        """Whom to ask now. Empty: enough agree, or all were asked. `ballots`: of those that were asked, also those that failed."""
        left = [name for name in self.order() if name not in ballots]
        if len(ballots) < ENOUGH:
            return left[: ENOUGH - len(ballots)]
        return [] if len(self.result(ballots).behind) >= ENOUGH else left[:1]

    def result(self, ballots: Mapping[str, Ballot]) -> Tally:
        """What the ballots so far say, by weight."""
        cast = {name: ballots[name] for name in self.order() if name in ballots}
        weights = self.trust.weights({name: self._model(name) for name in cast}, self.group, self.options)
        return tally(cast, "weighted", weights=weights, same=self.same)

    def _share(self, name: str) -> float:
        return self.trust.share(self._model(name), self.group)

    def _model(self, name: str) -> str:
        return self.names.get(name, name)

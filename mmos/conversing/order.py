"""Says who may write next in a talk, and whether the talk is over. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mmos.conversing.speaking import CONCLUDE, SAY
from mmos.events import CallFinished
from mmos.fences import one_line
from mmos.views.talks import Said, Talk


def addressed(talk: Talk, waiting: Sequence[str], round_: int) -> list[str]:
    """Those who still wait for their turn in a round, and to whom alone somebody has written since the round before. An answer to the newest message comes first."""
    said = [one for one in talk.messages if not one.dropped and one.sent.round >= round_ - 1]
    if said and said[-1].sent.round == round_ and said[-1].to in waiting:
        return [said[-1].to]
    to = {one.to for one in said}
    return [name for name in waiting if name in to]


def agree(talk: Talk, names: Collection[str], round_: int) -> bool:
    """Whether the newest message of everybody in a round agrees. One alone agrees with nobody."""
    newest = {said.sent.sender: said.sent.stance for said in _of_round(talk, round_)}
    return len(names) > 1 and all(newest.get(name) == "agree" for name in names)


def has_progress(talk: Talk, round_: int, ends: Collection[CallFinished]) -> bool:
    """Whether a round brought a new claim or a new call. `ends`: the calls of the run. Of a message in prose nobody knows what it claims."""
    said = _of_round(talk, round_)
    before = {_claim(claim) for one in talk.messages if one.sent.round < round_ for claim in one.sent.claims}
    lanes = {one.sent.lane for one in said}
    called = any(end.ok and end.lane in lanes and end.tool not in (SAY, CONCLUDE) for end in ends)
    prose = any(not one.sent.stance for one in said)
    return called or prose or any(_claim(claim) not in before for one in said for claim in one.sent.claims)


def _of_round(talk: Talk, round_: int) -> list[Said]:
    return [said for said in talk.messages if said.sent.round == round_]


def _claim(claim: str) -> str:
    return one_line(claim).casefold().rstrip(".")

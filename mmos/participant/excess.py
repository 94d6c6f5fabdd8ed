"""Defines a prompt that is too long for its window."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.errors import WindowExceeded
from mmos.participant.cast import Asking
from mmos.participant.composing import Composer
from mmos.prompting.budget import Counts, tokens_of
from mmos.prompting.compose import REPLY_SHARE, Plan, Space, compose
from mmos.prompting.frame import Frame
from mmos.views.conversation import Lane

AMPLE = 1 << 40


@dataclass(frozen=True)
class Excess:
    """A prompt that must become shorter."""

    composer: Composer
    room: Asking
    frame: Frame
    space: Space

    @property
    def lane(self) -> Lane:
        return self.composer.lane

    @property
    def target(self) -> int:
        """The tokens that a prompt may have."""
        return int(self.space.window * (1 - REPLY_SHARE))

    def tokens(self, counts: Counts) -> float:
        return tokens_of(self.space.rates, counts)

    def plan(self) -> Plan | None:
        """What the prompt contains if the oldest exchanges are left out. None: it does not fit."""
        try:
            return compose(self.frame, self.lane, self.composer.experience.scale, self.space, skip=self.lane.history.skipped)
        except WindowExceeded:
            return None

    def fits(self) -> bool:
        """Whether the prompt has room now, with all exchanges that it had before."""
        plan = self.plan()
        return plan is not None and self.composer.fits(plan)

    def length(self) -> int:
        """The tokens of the whole prompt."""
        scale = self.composer.experience.scale
        return compose(self.frame, self.lane, scale, self.space._replace(window=AMPLE), skip=self.lane.history.skipped).tokens

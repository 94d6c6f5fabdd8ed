"""Finds out which participants see attached images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mmos.participant.models import Models
from mmos.participant.role import Participant, Role
from mmos.views.conversation import Lane

IMAGE_TOKENS = 1024
"""MMOS plans this many tokens of the window for one image. Models need between 256 and a few thousand."""


async def sees(models: Models, role: Role) -> bool | None:
    """Whether the role's model takes images. None: no host can say."""
    described = await models.describe(role.model, role.servers)
    return None if described is None or described.capabilities is None else "vision" in described.capabilities


class Sight(NamedTuple):
    """What a participant gets of the files in its lane."""

    files: bool = False
    tokens: int = 0
    """What MMOS plans for the images."""
    sees: bool = True
    """Whether it gets the images."""
    viewers: str = ""
    """If not: the roles that get them and that it can consult."""


@dataclass(frozen=True)
class Eyes:
    """Knows which participants of a run see images. It asks a host once for each model, and only when there is an image."""

    models: Models
    roles: Mapping[str, Participant]
    known: dict[str, bool]
    """By model. A model that is not in here gets the image, and its host decides."""

    async def look(self, participant: Participant, lane: Lane) -> Sight:
        """What the participant gets of the files in its lane. Asks the hosts what is not known yet."""
        files = [file for message in (*lane.before(), *lane.messages) for file in message.files]
        images = sum(bool(file.image) for file in files)
        if not images:
            return Sight(bool(files))
        others = [self.roles[name].role for name in participant.consults]
        for role in (participant.role, *others):
            if role.model not in self.known and (answer := await sees(self.models, role)) is not None:
                self.known[role.model] = answer
        if self.known.get(participant.role.model, True):
            return Sight(True, IMAGE_TOKENS * images)
        return Sight(True, sees=False, viewers=", ".join(role.name for role in others if self.known.get(role.model, True)))

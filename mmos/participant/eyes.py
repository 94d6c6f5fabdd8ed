"""Finds out which participants see attached images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mmos.messages import File
from mmos.participant.cast import Cast, Member, Role
from mmos.participant.models import Models
from mmos.views.conversation import Lane

IMAGE_TOKENS = 1024
"""MMOS plans this many tokens of the window for one image. Models need between 256 and a few thousand."""


async def sees(models: Models, role: Role) -> bool | None:
    """Whether the role's model takes images. None: no host can say."""
    details = await models.describe(role.model, role.servers)
    return None if details is None or details.capabilities is None else "vision" in details.capabilities


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
    """Finds out which members of a cast see images. It asks a host once for each model, and only when there is an image."""

    models: Models
    cast: Cast
    vision: dict[str, bool]
    """By model. A model that is not in here gets the image, and its host decides."""

    async def look(self, member: Member, lane: Lane) -> Sight:
        """What the member gets of the files in its lane. Asks a host about each model that is not in `vision` yet."""
        files = _files(lane)
        if not any(file.image for file in files):
            return Sight(bool(files))
        others = [self.cast[name].role for name in member.consults]
        for role in (member.role, *others):
            if role.model not in self.vision and (able := await sees(self.models, role)) is not None:
                self.vision[role.model] = able
        if self.vision.get(member.role.model, True):
            return sight_of(lane)
        return sight_of(lane, sees=False, viewers=", ".join(role.name for role in others if self.vision.get(role.model, True)))


def sight_of(lane: Lane, *, sees: bool = True, viewers: str = "") -> Sight:
    """What a participant that `sees` images, or does not, gets of the files in a lane."""
    files = _files(lane)
    images = sum(bool(file.image) for file in files)
    if not images:
        return Sight(bool(files))
    return Sight(True, IMAGE_TOKENS * images) if sees else Sight(True, sees=False, viewers=viewers)


def _files(lane: Lane) -> list[File]:
    return [file for message in (*lane.before(), *lane.messages) for file in message.files]

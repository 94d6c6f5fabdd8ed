"""Puts attached files into prompts: every model gets the texts, and models that see images get the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmos.fences import fence, one_line
from mmos.fleet.fleet import Fleet
from mmos.messages import File, Message
from mmos.participant.role import Participant, Role
from mmos.prompting.templates import Templates
from mmos.views.conversation import Lane

IMAGE_TOKENS = 1024
"""MMOS plans this many tokens of the window for one image. Models need between 256 and a few thousand."""


async def sees(fleet: Fleet, role: Role) -> bool | None:
    """Whether the role's model takes images. None: no host can say."""
    described = await fleet.describe(role.model, role.servers)
    return None if described is None or described.capabilities is None else "vision" in described.capabilities


@dataclass(frozen=True)
class Eyes:
    """Knows which participants of a run see images. It asks a host once for each model, and only when there is an image."""

    fleet: Fleet
    roles: Mapping[str, Participant]
    templates: Templates
    known: dict[str, bool]
    """By model. A model that is not in here gets the image, and its host decides."""

    async def look(self, participant: Participant, lane: Lane) -> int:
        """Ask the hosts what this lane's prompt needs to know. Returns the tokens that its images need."""
        images = sum(bool(file.image) for message in (*lane.before(), *lane.messages) for file in message.files)
        if not images:
            return 0
        for role in (participant.role, *(self.roles[name].role for name in participant.consults)):
            if role.model not in self.known and (told := await sees(self.fleet, role)) is not None:
                self.known[role.model] = told
        return IMAGE_TOKENS * images if self._sees(participant.role) else 0

    def shown(self, message: Message, participant: Participant) -> Message:
        """The message with its files, as MMOS sends it to this participant's model."""
        able = self._sees(participant.role)
        who = "" if able else ", ".join(name for name in participant.consults if self._sees(self.roles[name].role))
        return message.form(f"files:{able}:{who}", lambda plain: self._rendered(plain, able, who))

    def _rendered(self, message: Message, able: bool, who: str) -> Message:
        texts = [message.content, *(self._text(file, able, who) for file in message.files)]
        images = [file.image for file in message.files if file.image and able]
        return Message.as_given({"role": message.role, "content": "\n\n".join(texts), **({"images": images} if images else {})})

    def _text(self, file: File, able: bool, who: str) -> str:
        name = one_line(file.name)
        if not file.image:
            return self.templates.fill("file", name=name, text=file.text.rstrip(), fence=fence(file.text))
        if able:
            return self.templates.fill("image", name=name)
        if who:
            return self.templates.fill("image_consult", name=name, specialists=who)
        return self.templates.fill("image_unseen", name=name)

    def _sees(self, role: Role) -> bool:
        return self.known.get(role.model, True)

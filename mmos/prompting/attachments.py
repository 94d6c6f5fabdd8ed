"""Writes attached files into messages. Every model gets the texts, and models that see images also get the images."""

from __future__ import annotations

from collections.abc import Mapping

from mmos.fences import fence, one_line
from mmos.messages import File, Message
from mmos.prompting.templates import Templates, fill

_TEXTS = ("file", "image", "image_consult", "image_unseen")


def wording_of(templates: Templates) -> Mapping[str, str]:
    """The texts that MMOS writes around files."""
    return {name: templates.text(name) for name in _TEXTS}


def with_files(message: Message, wording: Mapping[str, str], *, sees: bool, viewers: str) -> Message:
    """The message with its files. `viewers` names the roles that see images and can be consulted."""
    texts = [message.content, *(_text(file, wording, sees, viewers) for file in message.files)]
    images = [file.image for file in message.files if file.image and sees]
    return Message.verbatim({"role": message.role, "content": "\n\n".join(texts), **({"images": images} if images else {})})


def _text(file: File, wording: Mapping[str, str], sees: bool, viewers: str) -> str:
    name = one_line(file.name)
    if not file.image:
        return fill(wording["file"], name=name, text=file.text.rstrip(), fence=fence(file.text)).strip()
    if sees:
        return fill(wording["image"], name=name).strip()
    if viewers:
        return fill(wording["image_consult"], name=name, specialists=viewers).strip()
    return fill(wording["image_unseen"], name=name).strip()

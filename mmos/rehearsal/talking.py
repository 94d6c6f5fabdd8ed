"""Plays those who take part in a conversation of models: each answers alone, and then checks what the others wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from mmos.rehearsal.disagreeing import disagreement, own_result, settlement
from mmos.rehearsal.pieces import Call, Piece, Say
from mmos.rehearsal.prompt import Prompt, text_of

MESSAGE = re.compile(
    r"^Message (?P<number>\d{1,6}), (?P<sender>[\w.-]{1,60}) to (?P<to>[\w.-]{1,60})(?P<mark>[^\n]{0,400}):\n(?P<open><{3,})\n(?P<text>.*?)\n>{3,}$",
    re.MULTILINE | re.DOTALL,
)
NAME = re.compile(r"^You are ([\w.-]{1,60})\. You talk with ", re.MULTILINE)
WANTS_END = re.compile(r"\bconclude\b|\bverdict\b", re.IGNORECASE)
SENTENCE = re.compile(r"[^.!?\n]{8,160}[.!?:]")
CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
MOST_CLAIMS = 2
CHECKED = "I checked message"


@dataclass(frozen=True)
class Heard:
    """A message as a participant reads it."""

    number: int
    sender: str
    to: str
    text: str


def heard(text: str) -> list[Heard]:
    """The messages in a prompt."""
    return [Heard(int(found["number"]), found["sender"], found["to"], found["text"]) for found in MESSAGE.finditer(text)]


def takes_part(prompt: Prompt) -> bool:
    say = prompt.toolbox.get("say")
    return say is not None and {"to", "stance", "message"} <= set(say.parameters.get("properties") or {})


def speak(prompt: Prompt, alone: Sequence[Piece]) -> list[Piece]:
    """The next message. `alone`: what the model would answer without the others."""
    messages = heard(prompt.user_text)
    if not messages:
        text = "".join(piece.text for piece in alone if isinstance(piece, Say)).strip()
        return [_say("all", "new", text, claims_in(text))]
    calls: list[Piece] = [_checked(prompt, messages)]
    if "conclude" in prompt.toolbox and WANTS_END.search(task_of(prompt)):
        newest = messages[-1]
        calls.append(
            Call(
                "conclude",
                {"verdict": "; ".join(claims_in(newest.text)) or newest.text, "reasons": [f"{newest.sender} says so, and I checked it."]},
            )
        )
    return calls


def task_of(prompt: Prompt) -> str:
    """The words of the user and the topic, from the first message of the conversation."""
    return next((text_of(message) for message in prompt.messages if NAME.search(text_of(message))), "").partition(
        "\nNobody has written yet."
    )[0]


def _checked(prompt: Prompt, messages: Sequence[Heard]) -> Call:
    """What it thinks of the others: they differ from its own result, or their words fit."""
    me, mine = _myself(prompt), own_words(prompt)
    for message in messages:
        about = disagreement({message.sender: message.text, me: mine})
        if about is None:
            continue
        value = own_result(about, prompt)
        text = settlement(about, value) if value else f"{about.text()} I see no proof for {about.first.value}."
        return _say(message.sender, "disagree", text, [f"{about.subject} is {value or about.second.value}."])
    one = next((message for message in messages if not message.text.startswith(CHECKED)), messages[-1])
    claim = next(iter(claims_in(one.text)), one.text[:100])
    text = f'{CHECKED} {one.number}: "{claim}" It fits what I found. Both together answer the question.'
    return _say(one.sender, "agree", text, [claim])


def _myself(prompt: Prompt) -> str:
    found = next((name for message in prompt.messages if (name := NAME.search(text_of(message)))), None)
    return found[1] if found else "me"


def own_words(prompt: Prompt) -> str:
    """What it wrote itself, in calls or as JSON."""
    texts: list[str] = []
    for message in prompt.messages:
        if message.get("role") == "assistant":
            calls = [call.get("function") or {} for call in message.get("tool_calls") or ()]
            texts += [str(arguments.get("message", "")) for call in calls if isinstance(arguments := call.get("arguments"), Mapping)]
            texts += _in_json(text_of(message))
    return "\n".join(filter(None, texts))


def _in_json(text: str) -> list[str]:
    """The messages that a model without tools wrote as JSON."""
    if not text.lstrip().startswith("{"):
        return [text]
    try:
        calls = orjson.loads(text).get("calls") or ()
    except orjson.JSONDecodeError:
        return [text]
    return [str((call.get("arguments") or {}).get("message", "")) for call in calls if isinstance(call, dict)]


def claims_in(text: str) -> list[str]:
    """The first sentences of a text, without its code."""
    return [found[0].strip().rstrip(":") for found in SENTENCE.finditer(CODE.sub(" ", text))][:MOST_CLAIMS]


def _say(to: str, stance: str, message: str, claims: Sequence[str]) -> Call:
    return Call("say", {"to": to, "stance": stance, "message": message, "claims": list(claims)})

"""Plays the arbiter of a conversation of models: it opens one, reviews each message, and concludes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmos.rehearsal.consulting import ERRANDS, START, fitting
from mmos.rehearsal.disagreeing import disagreement, own_result, settlement
from mmos.rehearsal.personas import SIGNATURE
from mmos.rehearsal.pieces import Call, Piece, Say
from mmos.rehearsal.prompt import Prompt, Result, quoted
from mmos.rehearsal.talking import CHECKED, Heard, claims_in, heard

WANTED = re.compile(
    r"\b(?:discuss|debate|talk (?:it|this) over|talk (?:to|with) each other|argue (?:it|this) out)\b|"
    r"\blet\b[^.!?\n]{1,80}\b(?:talk|converse|argue)\b|"
    r"\b(?:find|look for)\b[^.!?\n]{0,40}\b(?:cause|reason|mistake|bug)\b[^.!?\n]{0,40}\band\b[^.!?\n]{0,20}\b(?:write|make|implement|propose)\b",
    re.IGNORECASE,
)
"""Work for several hands, or words that ask for a conversation."""
THROUGH_ME = re.compile(r"\bmediated\b|\bthrough (?:you|the arbiter)\b", re.IGNORECASE)
UNDER_REVIEW = re.compile(r"^Message (?P<number>\d{1,6}) of (?P<sender>[\w.-]{1,60}) to (?P<to>[^\n]{1,200}):$", re.MULTILINE)
BLIND = re.compile(r"\bNobody has written yet\b.*\bown verdict\b", re.DOTALL)
UNTESTED = re.compile(r"[^.!?\n]*\b(?:needs? no tests?|without (?:a )?tests?|no need to test|cannot fail)\b[^.!?\n]*[.!?]", re.IGNORECASE)
CAREFUL = "A test has to show that it helps."
OWN = "Before I read anybody: what changed last is the first thing to look at, and a measurement decides."
DISSENT = re.compile(r"^Dissent: (?!none\b)(.+)$", re.MULTILINE)


def watch(prompt: Prompt) -> list[Piece] | None:
    """The next step of somebody who watches over a conversation, or leads it. None: it does neither."""
    if "consult_model" in prompt.toolbox and "conclude" in prompt.toolbox:
        return _lead(prompt)
    for name, mark, step in _STEPS:
        tool = prompt.toolbox.get(name)
        if tool is not None and mark in (tool.parameters.get("properties") or {}) and not prompt.results:
            return [step(prompt)]
    return [Say(OWN)] if not prompt.toolbox and BLIND.search(prompt.user_text) else None


def _lead(prompt: Prompt) -> list[Piece]:
    """Ask each participant, ask one again if they disagree, and conclude."""
    names: Sequence[str] = (prompt.toolbox["consult_model"].parameters["properties"]["model"].get("enum")) or ()
    asked = prompt.call_counts["consult_model"]
    if asked < len(names):
        return [_consultation(name, prompt.task, "topic") for name in names[asked:]]
    answers = [message for result in prompt.results if result.tool == "consult_model" for message in heard(result.text)]
    about = disagreement({message.sender: message.text for message in answers})
    if about is not None and asked == len(names):
        doubt = f"You said {about.second.value}, {about.first.role} says {about.first.value}. Look again: which of the two holds?\n{prompt.task}"
        return [_consultation(about.second.role, doubt, "answers")]
    return [_concluded(prompt, answers)]


def _consultation(name: str, query: str, read: str) -> Call:
    return Call("consult_model", {"model": name, "query": query, "context_filter": read})


def bring_together(prompt: Prompt) -> list[Piece] | None:
    """Start a conversation if the task wants one, and tell what came of it. None: the task needs none."""
    if START not in prompt.toolbox or not WANTED.search(prompt.user_text):
        return None
    results = [result for result in prompt.results if result.tool == START]
    if not results:
        return None if prompt.call_counts[START] else _start(prompt)
    return None if results[-1].failed else [Say(_told(results[-1]))]


def _start(prompt: Prompt) -> list[Piece] | None:
    properties: Mapping[str, Any] = prompt.toolbox[START].parameters.get("properties") or {}
    names = [name for name in (properties.get("participants") or {}).get("items", {}).get("enum") or () if name not in ERRANDS]
    participants = fitting(names, prompt.user_text) if len(names) > 1 else []
    modes = (properties.get("mode") or {}).get("enum") or ["direct"]
    mode = "mediated" if "mediated" in modes and THROUGH_ME.search(prompt.user_text) else modes[0]
    return [Call(START, {"topic": prompt.user_text, "participants": participants, "mode": mode})] if len(participants) > 1 else None


def _told(result: Result) -> str:
    """The answer after a conversation: its verdict, and what is still disputed."""
    verdict, dissent = (str(result.fields.get(name) or "") for name in ("verdict", "dissent"))
    return f"{verdict}\n\nStill disputed: {dissent}" if dissent else verdict or result.text


# ---------------------------------------------------------------- one decision each


def _review(prompt: Prompt) -> Call:
    head = UNDER_REVIEW.search(prompt.user_text)
    text = quoted(prompt.user_text[head.end() :] if head else prompt.user_text)[0]
    names = ((prompt.toolbox["review"].parameters["properties"].get("to") or {}).get("enum")) or []
    if found := UNTESTED.search(text):
        quote = found[0].strip()
        return Call(
            "review",
            {
                "action": "modify",
                "reason": "It says that no test is needed, and nothing shows that.",
                "quote": quote,
                "message": text.replace(quote, CAREFUL),
            },
        )
    called = next((name for name in names if re.match(rf"{re.escape(name)}\b\s*[,:]", text, re.IGNORECASE)), "")
    if called and head and called not in (head["to"], head["sender"]):
        return Call("review", {"action": "redirect", "reason": f"The question is for {called}.", "to": called})
    return Call("review", {"action": "pass", "reason": "I see nothing wrong in it."})


def _decide(prompt: Prompt) -> Call:
    if dissent := DISSENT.search(prompt.user_text):
        return Call("decide", {"accept": False, "reason": f"This is still open: {dissent[1]}"})
    return Call("decide", {"accept": True, "reason": "It answers the topic, and nobody objects."})


def _next(prompt: Prompt) -> Call:
    names = prompt.toolbox["next_speaker"].parameters["properties"]["name"].get("enum") or [""]
    asked = [message.to for message in heard(prompt.user_text) if message.to in names]
    return Call("next_speaker", {"name": asked[-1] if asked else names[0]})


def _conclude(prompt: Prompt) -> Call:
    return _concluded(prompt, heard(prompt.user_text))


def _concluded(prompt: Prompt, messages: Sequence[Heard]) -> Call:
    first: dict[str, Heard] = {}
    for message in messages:
        first.setdefault(message.sender, message)
    parts = [f"{sender} found:\n{message.text.removesuffix(SIGNATURE).strip()}" for sender, message in first.items()]
    about = disagreement({sender: message.text for sender, message in first.items()})
    value = own_result(about, prompt) if about else None
    if about:
        parts.append(settlement(about, value) if value else about.text())
    return Call(
        "conclude",
        {
            "verdict": "\n\n".join(parts) or "Nobody wrote anything.",
            "reasons": [claim for message in first.values() for claim in claims_in(message.text)[:1]],
            "dissent": about.text() if about and not value else "",
            "consensus": _shared(messages),
            "contradictions": [_finding(about.text(), [first[about.first.role], first[about.second.role]])] if about else [],
            "unique_insights": [_finding(claim, [message]) for message in first.values() for claim in claims_in(message.text)[1:]],
        },
    )


def _shared(messages: Sequence[Heard]) -> list[dict[str, Any]]:
    """What a later message quotes of an earlier one."""
    found = []
    for before in messages:
        for claim in claims_in(before.text) if not before.text.startswith(CHECKED) else ():
            later = [
                message
                for message in messages
                if message.number > before.number and message.sender != before.sender and claim in message.text
            ]
            found += [_finding(claim, [before, *later])] if later else []
    return found


def _finding(text: str, messages: Sequence[Heard]) -> dict[str, Any]:
    return {"text": text, "who": list(dict.fromkeys(one.sender for one in messages)), "evidence": [one.number for one in messages]}


_STEPS: Sequence[tuple[str, str, Callable[[Prompt], Call]]] = (
    ("review", "action", _review),
    ("decide", "accept", _decide),
    ("next_speaker", "name", _next),
    ("conclude", "consensus", _conclude),
)
"""A tool, an argument by which it is known, and what it is called with."""

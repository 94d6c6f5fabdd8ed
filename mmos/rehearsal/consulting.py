"""What a rehearsed arbiter does: ask the user when told to, consult two fitting specialists, and combine what they say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mmos.rehearsal.naming import fill
from mmos.rehearsal.pieces import Call, Piece, Say
from mmos.rehearsal.prompt import Prompt, Result

ROLE = re.compile(r"\Aconsult_(\w+)_specialist\Z")
ONE_TOOL = "consult_specialist"
ASK = "escalate_to_user"
SPECIALISTS_AT_ONCE = 2
UNCLEAR = re.compile(r"\bask me\b|\bwhich one\?", re.IGNORECASE)
CHOICE = re.compile(r"([\w.+#-]+)\s+or\s+([\w.+#-]+)", re.IGNORECASE)
TOLD = "The user was asked and said:"
ERRANDS = ("interpreter", "synthesizer", "arbiter")
"""Roles with a job of their own: not asked for an opinion."""
SUITED: Mapping[str, re.Pattern[str]] = {
    "coding": re.compile(r"\b(?:code|coding|function|class|python|javascript|rust|implement|program|script|bug|refactor|sort|merge|parse|api|sql|regex|test|compile|build|loop)\w*", re.IGNORECASE),
    "reasoning": re.compile(r"\b(?:why|plan|compar|design|decide|proo|prove|explain|trade|choose|better|should|reason|correct|how|argue|risk)\w*", re.IGNORECASE),
    "analysis": re.compile(r"\b(?:data|summar|analy|statistic|table|number|trend|report|count|csv|log|metric|measure|average|text)\w*", re.IGNORECASE),
}  # fmt: skip
BRIEFS: Mapping[str, str] = {
    "coding": "Give working code, and name the case that breaks it.",
    "reasoning": "Say what decides this, and why that is right.",
    "analysis": "Say what the facts are, shortly.",
}


def consult(prompt: Prompt) -> list[Piece] | None:
    """The next step of an arbiter; None where no specialist and no user can be asked."""
    if question := _question(prompt):
        return [question]
    if not (known := roles(prompt)):
        return None
    wanted = _fitting(known, prompt.user_text)[:SPECIALISTS_AT_ONCE]
    asked = [result for result in prompt.results if result.tool != ASK]
    calls: list[Piece] = [_consultation(prompt, role) for role in wanted[_consulted(prompt) :]]
    if calls and not any(result.failed for result in asked):
        return calls
    return [Say(combine(prompt.results))]


def _consulted(prompt: Prompt) -> int:
    return sum(times for tool, times in prompt.done.items() if tool == ONE_TOOL or ROLE.match(tool))


def roles(prompt: Prompt) -> list[str]:
    """Who can be consulted."""
    own = [match.group(1) for match in map(ROLE.match, prompt.offered) if match]
    if own or ONE_TOOL not in prompt.offered:
        return own
    properties = prompt.offered[ONE_TOOL].parameters.get("properties") or {}
    return list((properties.get("specialist") or {}).get("enum") or SUITED)


def _fitting(known: Sequence[str], text: str) -> list[str]:
    """Roles by how many words of the text speak for them; what the usual order is decides between equals."""
    usual = [*SUITED, *sorted(set(known) - SUITED.keys() - set(ERRANDS)), *ERRANDS]

    def order(role: str) -> tuple[bool, int, int]:
        named = len(re.findall(rf"\b{re.escape(role)}\b", text, re.IGNORECASE))
        suited = len(SUITED[role].findall(text)) if role in SUITED else 0
        return role in ERRANDS, -(suited + 2 * named), usual.index(role)

    return sorted(known, key=order)


def _consultation(prompt: Prompt, role: str) -> Call:
    told = [f"{TOLD} {result.words}" for result in prompt.results if result.tool == ASK]
    brief = "\n".join([BRIEFS.get(role, f"Give the view of {role}."), f"Task: {prompt.user_text}", *told])
    tool = f"consult_{role}_specialist"
    if tool not in prompt.offered:
        return Call(ONE_TOOL, {"specialist": role, "query": brief})
    return Call(tool, fill(prompt.offered[tool].parameters, "", brief) | {"query": brief})


def _question(prompt: Prompt) -> Call | None:
    """A question for the user, where the text asks for one and nobody has asked it yet."""
    if ASK not in prompt.offered or prompt.done[ASK] or TOLD in prompt.user_text or not UNCLEAR.search(prompt.user_text):
        return None
    parameters = prompt.offered[ASK].parameters
    properties = parameters.get("properties") or {}
    choice = CHOICE.search(prompt.user_text)
    question = f"Which one do you want: {choice.group(1)} or {choice.group(2)}?" if choice else "What exactly do you want?"
    arguments = fill(parameters, "", question)
    if choice and "options" in properties:
        arguments["options"] = list(choice.groups())
    if choice and "choice" in (properties.get("kind") or {}).get("enum", ()):
        arguments["kind"] = "choice"
    return Call(ASK, arguments)


def combine(results: Sequence[Result]) -> str:
    """One answer out of all results, each word for word under the name of who gave it."""
    parts = []
    for result in results:
        role = ROLE.match(result.tool)
        who = f"The {role.group(1)} specialist" if role else "You" if result.tool == ASK else result.tool
        verb = "could not help" if result.failed else "said" if who == "You" else "says"
        parts.append(f"{who} {verb}:\n{result.words}")
    specialists = [result for result in results if not result.failed and result.tool != ASK]
    if len(specialists) > 1:
        parts.append("Together: take the first as the answer and hold it against what the second says.")
    return "\n\n".join(parts)

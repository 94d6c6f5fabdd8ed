"""Plays the arbiter: it asks the user if the task says so, consults fitting specialists, settles disagreements, and combines the answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain, repeat

from mmos.rehearsal.disagreeing import Disagreement, disagreement, own_result, settlement
from mmos.rehearsal.naming import fill
from mmos.rehearsal.pieces import Call, Piece, Say
from mmos.rehearsal.prompt import Prompt, Result

ROLE = re.compile(r"\Aconsult_(\w+)_specialist\Z")
ONE_TOOL = "consult_specialist"
ASK = "escalate_to_user"
START = "start_multi_model_conversation"
FEWEST_AT_ONCE, MOST_AT_ONCE = 2, 3
UNCLEAR = re.compile(r"\bask me\b|\bwhich one\?", re.IGNORECASE)
CHOICE = re.compile(r"([\w.+#-]+)\s+or\s+([\w.+#-]+)", re.IGNORECASE)
USER_ANSWER = "The user was asked and said:"
TOGETHER = "Together: take the first as the answer and hold it against what the second says."
ERRANDS = ("interpreter", "synthesizer", "arbiter")
"""Roles that the arbiter does not consult for an opinion."""
TOPICS: Mapping[str, re.Pattern[str]] = {
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
    """The next step of an arbiter. None: it can ask neither a specialist nor the user."""
    if question := _question(prompt):
        return [question]
    if not (known := roles(prompt)):
        return None
    specialists = fitting(known, prompt.user_text)
    consultations = [result for result in prompt.results if result.tool not in (ASK, START)]
    calls: list[Piece] = [_consultation(prompt, role) for role in specialists[_consultation_count(prompt) :]]
    failed = any(result.failed for result in consultations)
    if calls and not failed:
        return calls
    step = _settle(prompt, specialists, failed=failed)
    return [step if isinstance(step, Call) else Say(combine(prompt.results, step))]


def _settle(prompt: Prompt, specialists: Sequence[str], *, failed: bool) -> Call | str:
    """Settle a disagreement: the arbiter checks it itself. If it cannot, it asks one specialist again, and then the user."""
    rounds = _rounds(prompt, specialists)
    about = disagreement(rounds[-1])
    if about is None:
        before = disagreement(rounds[0])
        return f"{before.text()} Asked again, they agree." if before else TOGETHER
    if value := own_result(about, prompt):
        return settlement(about, value)
    if answer := next((result.words for result in prompt.results if result.tool == ASK), None):
        return f"{about.text()} You were asked, and said: {answer}"
    if not failed and _consultation_count(prompt) <= len(specialists):
        return _consultation(prompt, about.second.role, _doubt(about))
    if ASK in prompt.toolbox and not prompt.call_counts[ASK]:
        return _choice(prompt, f"{about.text()} Which one holds?", about.values)
    return f"{about.text()} I cannot settle it: hold neither for certain."


def _rounds(prompt: Prompt, specialists: Sequence[str]) -> list[dict[str, str]]:
    """The first and the last answer of each role."""
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    places = chain(specialists, repeat(specialists[-1]))  # when one tool asks all of them, the order shows who answered
    for result in prompt.results:
        role = ROLE.match(result.tool)
        name = role.group(1) if role else next(places) if result.tool == ONE_TOOL else ""
        if name and not result.failed:
            first.setdefault(name, result.words)
            last[name] = result.words
    return [first, last]


def _doubt(about: Disagreement) -> str:
    return (
        f"You said {about.second.value}. Look again: which of the two holds?\nThe {about.first.role} specialist says: {about.first.value}"
    )


def _consultation_count(prompt: Prompt) -> int:
    return sum(times for tool, times in prompt.call_counts.items() if tool == ONE_TOOL or ROLE.match(tool))


def roles(prompt: Prompt) -> list[str]:
    """The specialists that can be consulted."""
    own = [match.group(1) for match in map(ROLE.match, prompt.toolbox) if match]
    if own or ONE_TOOL not in prompt.toolbox:
        return own
    properties = prompt.toolbox[ONE_TOOL].parameters.get("properties") or {}
    return list((properties.get("specialist") or {}).get("enum") or TOPICS)


def fitting(known: Sequence[str], text: str) -> list[str]:
    """The one specialist that the user wants. Otherwise two or three, by how many words of the text fit them, then by the usual order."""
    usual = [*TOPICS, *sorted(set(known) - TOPICS.keys() - set(ERRANDS)), *ERRANDS]
    alone = [role for role in known if re.search(rf"\b(?:only|just)\b[^.!?\n]{{0,20}}\b{re.escape(role)}\b", text, re.IGNORECASE)]
    fit = {role: _fitness(role, text) for role in known}
    ranked = sorted(known, key=lambda role: (role in ERRANDS, -fit[role], usual.index(role)))
    matches = sum(fit[role] > 0 for role in known if role not in ERRANDS)
    return alone[:1] or ranked[: min(max(matches, FEWEST_AT_ONCE), MOST_AT_ONCE)]


def _fitness(role: str, text: str) -> int:
    mentions = len(re.findall(rf"\b{re.escape(role)}\b", text, re.IGNORECASE))
    return 2 * mentions + (len(TOPICS[role].findall(text)) if role in TOPICS else 0)


def _consultation(prompt: Prompt, role: str, *more: str) -> Call:
    facts = [*(f"{USER_ANSWER} {result.words}" for result in prompt.results if result.tool == ASK), *more]
    brief = "\n".join([BRIEFS.get(role, f"Give the view of {role}."), f"Task: {prompt.user_text}", *facts])
    tool = f"consult_{role}_specialist"
    if tool not in prompt.toolbox:
        return Call(ONE_TOOL, {"specialist": role, "query": brief})
    return Call(tool, fill(prompt.toolbox[tool].parameters, "", brief) | {"query": brief})


def _question(prompt: Prompt) -> Call | None:
    """A question for the user, if the task wants one and it was not asked yet."""
    if ASK not in prompt.toolbox or prompt.call_counts[ASK] or USER_ANSWER in prompt.user_text or not UNCLEAR.search(prompt.user_text):
        return None
    choice = CHOICE.search(prompt.user_text)
    question = f"Which one do you want: {choice.group(1)} or {choice.group(2)}?" if choice else "What exactly do you want?"
    return _choice(prompt, question, choice.groups() if choice else ())


def _choice(prompt: Prompt, question: str, options: Sequence[str]) -> Call:
    """A question to the user, with its options."""
    parameters = prompt.toolbox[ASK].parameters
    properties = parameters.get("properties") or {}
    arguments = fill(parameters, "", question)
    if options and "options" in properties:
        arguments["options"] = list(options)
    if options and "choice" in (properties.get("kind") or {}).get("enum", ()):
        arguments["kind"] = "choice"
    return Call(ASK, arguments)


def combine(results: Sequence[Result], together: str = TOGETHER) -> str:
    """One answer from all results: each result word for word under the name of its role, then what they say together."""
    parts = []
    for result in results:
        role = ROLE.match(result.tool)
        who = f"The {role.group(1)} specialist" if role else "You" if result.tool == ASK else result.tool
        verb = "could not help" if result.failed else "said" if who == "You" else "says"
        parts.append(f"{who} {verb}:\n{result.words}")
    specialists = [result for result in results if not result.failed and result.tool != ASK]
    if len(specialists) > 1:
        parts.append(together)
    return "\n\n".join(parts)

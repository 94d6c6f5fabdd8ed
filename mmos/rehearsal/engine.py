"""Decides what a scripted model does: it applies the script, the named tools, the rules or the default."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

import orjson

from mmos.rehearsal.consulting import combine, consult, roles
from mmos.rehearsal.naming import mentions, named_calls
from mmos.rehearsal.opposing import contradiction
from mmos.rehearsal.passages import from_documents, from_notes, note
from mmos.rehearsal.personas import Contradict, Leak, Model, Rule, Skill, Step, Turn, When, unfold
from mmos.rehearsal.pieces import BadByte, Call, Cut, Fail, Finish, Loop, Piece, Ramble, Raw, Say, Stall, Think
from mmos.rehearsal.prompt import Prompt
from mmos.rehearsal.rewriting import commit_message, looked_for, rewritten
from mmos.rehearsal.schema import express
from mmos.rehearsal.skills import SKILLS
from mmos.rehearsal.talking import speak, takes_part
from mmos.rehearsal.verdict import judged
from mmos.rehearsal.watching import bring_together, watch

PLACE = re.compile(r"\{(\w+)\}")
TASK = re.compile(r"^Task: (.*)$", re.MULTILINE)
TOPIC_LENGTH = 120
SYLLABLES = ("ba", "do", "fi", "ga", "ke", "lu", "mo", "ni", "pa", "ro", "su", "ti")
PLAIN = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
"""The schema for an answer of any JSON."""


class OutOfScriptError(Exception):
    """A scripted model was asked more often than it has turns."""


def respond(model: Model, prompt: Prompt) -> list[Piece]:
    """The pieces of the model's next turn."""
    pieces = _persona(model, prompt) if model.turns is None else _from_script(model, model.turns, prompt)
    plain: list[Piece] = [_words(piece, prompt.seed) if isinstance(piece, Ramble) else piece for piece in pieces]
    return plain if prompt.format is None else _in_form(plain, prompt)


def _from_script(model: Model, turns: Sequence[Turn], prompt: Prompt) -> list[Piece]:
    number = prompt.number % len(turns) if model.repeat and turns else prompt.number
    if number >= len(turns):
        raise OutOfScriptError(f"rehearsal: the script of {model.name} has {len(turns)} turns and was asked for one more")
    return unfold(turns[number], prompt)


def _persona(model: Model, prompt: Prompt) -> list[Piece]:
    """The first that applies: a talk, a part of a long text, a file to rewrite, tools that the user names, a rule, the behaviour of every persona, the default."""
    if (watching := watch(prompt)) is not None:
        return watching
    if takes_part(prompt):
        return [] if prompt.results else speak(prompt, _by_rules(model, prompt) or _habit(model, prompt))
    if (read := note(prompt) or rewritten(prompt) or commit_message(prompt)) is not None:
        return [Say(read)]
    if (looking := looked_for(prompt)) is not None:
        return [looking]
    together = bring_together(prompt) if model.named_tools else None
    asked = _from_notes(prompt) or together or _named_tools(model, prompt)
    asked = asked or _from_documents(prompt)
    return _with_signature(asked or _verdict(prompt) or _by_rules(model, prompt) or _habit(model, prompt), model.signature)


def _named_tools(model: Model, prompt: Prompt) -> list[Piece]:
    if not model.named_tools or not any(mentions(prompt.user_text, prompt.toolbox)):
        return []
    calls: list[Piece] = [*named_calls(prompt)]
    return calls or ([Say(combine(prompt.results))] if prompt.results else [])


def _verdict(prompt: Prompt) -> list[Piece]:
    return [] if (verdict := judged(prompt)) is None else [Say(verdict)]


def _from_notes(prompt: Prompt) -> list[Piece]:
    return [] if prompt.results or (answer := from_notes(prompt)) is None else [Say(answer)]


def _from_documents(prompt: Prompt) -> list[Piece]:
    return [] if prompt.results or (answer := from_documents(prompt)) is None else [Say(answer)]


def _by_rules(model: Model, prompt: Prompt) -> list[Piece]:
    for rule in model.rules:
        if (pieces := _follow(rule, prompt)) is not None:
            return pieces
    return []


def _habit(model: Model, prompt: Prompt) -> list[Piece]:
    if (step := consult(prompt)) is not None:
        return step
    if prompt.results:
        return [Say(combine(prompt.results))]
    return [Say(_fill(model.default, prompt, {}))]


def _with_signature(pieces: list[Piece], signature: str) -> list[Piece]:
    """The answer with the signature at its end. Calls and JSON get no signature."""
    last = pieces[-1] if pieces else None
    if not signature or not isinstance(last, Say) or not last.text or last.text.endswith(signature) or last.text.startswith('{"'):
        return pieces
    return [*pieces[:-1], Say(f"{last.text.rstrip()} {signature}")]


def _words(piece: Ramble, seed: int) -> Say:
    chance = random.Random(seed)
    return Say(" ".join(chance.choice(SYLLABLES) + chance.choice(SYLLABLES) for _ in range(piece.words)))


def _in_form(pieces: list[Piece], prompt: Prompt) -> list[Piece]:
    """The turn in the form that the request asks for. Text that is already JSON stays as it is."""
    calls = [piece for piece in pieces if isinstance(piece, Call)]
    text = "".join(piece.text for piece in pieces if isinstance(piece, Say))
    words = next((place for place, piece in enumerate(pieces) if isinstance(piece, Say | Call | Loop)), len(pieces))
    first = [piece for piece in pieces[:words] if isinstance(piece, Stall)]
    before: list[Piece] = [*first, *(piece for piece in pieces if isinstance(piece, Think))]
    after: list[Piece] = [piece for piece in pieces if isinstance(piece, Finish | Fail | Cut | Stall) and piece not in first]
    if endless := next((piece for piece in pieces if isinstance(piece, Loop)), None):
        return [*before, Say('{"answer":"'), Loop(orjson.dumps(endless.text).decode()[1:-1])]
    if any(isinstance(piece, Raw | BadByte) for piece in pieces):
        return pieces
    if not calls and (not text or text.lstrip()[0] in "{["):
        return [*before, Say(text), *after]
    schema = prompt.format if isinstance(prompt.format, Mapping) else PLAIN
    return [*before, Say(orjson.dumps(express(schema, calls, text)).decode()), *after]


# ---------------------------------------------------------------- rules


def _follow(rule: Rule, prompt: Prompt) -> list[Piece] | None:
    """The pieces that a rule makes. None: it does not match."""
    values = match(rule.when, prompt)
    if values is None:
        return None
    pieces: list[Piece] = []
    for step in rule.do:
        piece = _step(step, prompt, values)
        if piece is None:
            return None
        pieces.append(piece)
    return pieces


def match(when: When, prompt: Prompt) -> Mapping[str, str] | None:
    """The values that the conditions captured. None: not all conditions hold."""
    found = when.user_matches.search(prompt.user_text) if when.user_matches else None
    holds = (
        (when.user_matches is None or found is not None)
        and when.last_role in (None, prompt.last_role)
        and _contains(prompt.user_text, when.user_contains)
        and _contains(prompt.system, when.system_contains)
        and _offers(when.tools_offered, prompt)
        and when.arbiter in (None, bool(roles(prompt)))
        and when.after_results in (None, bool(prompt.results))
        and when.results in (None, len(prompt.results))
        and (not when.result_contains or any(_contains(result.text, when.result_contains) for result in prompt.results))
        and when.format in (None, prompt.format is not None)
        and when.turn in (None, prompt.turn)
    )
    if not holds:
        return None
    return {name: text or "" for name, text in found.groupdict().items()} if found else {}


def _contains(text: str, parts: Sequence[str]) -> bool:
    lower = text.lower()
    return not parts or any(part.lower() in lower for part in parts)


def _offers(tools: bool | Sequence[str] | None, prompt: Prompt) -> bool:
    if tools is None or isinstance(tools, bool):
        return tools in (None, bool(prompt.toolbox))
    return all(name in prompt.toolbox for name in tools)


def _step(step: Step, prompt: Prompt, values: Mapping[str, str]) -> Piece | None:
    if isinstance(step, Skill):
        work = SKILLS[step.name](prompt)
        return None if work is None else Say(work)
    if isinstance(step, Contradict):
        contradict = Contradict(None if step.text is None else _fill(step.text, prompt, values), step.of)
        statement = contradiction(contradict, prompt)
        return None if statement is None else Say(statement)
    if isinstance(step, Leak):
        call = _step(step.call, prompt, values)
        return Say(_as_text(call, step.style)) if isinstance(call, Call) else call
    if isinstance(step, Say | Think | Loop | Raw):
        return type(step)(_fill(step.text, prompt, values))
    if isinstance(step, Call):
        return Call(step.tool, {name: _fill_value(value, prompt, values) for name, value in step.arguments.items()})
    return step


def _as_text(call: Call, style: str) -> str:
    text = orjson.dumps({"name": call.tool, "arguments": call.arguments}).decode()
    return {"fence": f"```json\n{text}\n```", "tagged": f"<tool_call>\n{text}\n</tool_call>"}.get(style, text)


# ---------------------------------------------------------------- templates


def _fill(text: str, prompt: Prompt, values: Mapping[str, str]) -> str:
    """Put values into `{name}` places once. Places inside a value and unknown names stay as they are."""

    def value(place: re.Match[str]) -> str:
        name = place.group(1)
        if name in values:
            return values[name]
        make = PLACES.get(name)
        return make(prompt) if make else place.group()

    return PLACE.sub(value, text)


def _fill_value(value: object, prompt: Prompt, values: Mapping[str, str]) -> object:
    return _fill(value, prompt, values) if isinstance(value, str) else value


def _topic(prompt: Prompt) -> str:
    """The first line of the task, cut to the length of a title."""
    task = TASK.search(prompt.user_text)
    lines = (task.group(1) if task else prompt.task).strip().splitlines() or [""]
    return lines[0] if len(lines[0]) <= TOPIC_LENGTH else lines[0][:TOPIC_LENGTH] + "…"


PLACES: Mapping[str, Callable[[Prompt], str]] = {
    "query": lambda prompt: prompt.user_text,
    "topic": _topic,
    "system": lambda prompt: prompt.system,
    "results": lambda prompt: combine(prompt.results),
    "result": lambda prompt: prompt.results[-1].words if prompt.results else "",
    "tools": lambda prompt: ", ".join(prompt.toolbox),
    "model": lambda prompt: prompt.model,
    "turn": lambda prompt: str(prompt.turn),
}

"""Has a model write a question in other words, before it is looked up in the library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.config.load import Config
from mmos.context import PASS_ON, Context, Participant
from mmos.errors import MmosError
from mmos.prompting.templates import Templates

SECONDS = 30.0
"""How long the model may take. Then the question is looked up as it is."""
TOKENS = 300
MOST = 3
"""Texts that are looked up beside the question."""
LONGEST = 2_000
"""Characters of each."""
SHAPE: Mapping[str, Any] = {
    "type": "object",
    "properties": {"texts": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST}},
    "required": ["texts"],
    "additionalProperties": False,
}


async def reworded(context: Context, config: Config, question: str, method: str, templates: Templates) -> tuple[str, ...]:
    """What is looked up beside the question. Whatever keeps the model from answering becomes a warning."""
    if method == "none":
        return ()
    role = config.roles()[config.orchestration.rag.rewriting_role or "arbiter"]
    model = Participant(
        "rewording", role.model, templates.fill("rewording"), role.servers, options={"temperature": 0, "num_predict": TOKENS}, think=False
    )
    try:
        answer = await context.ask(model, _task(method, question, templates), answer=SHAPE, seconds=SECONDS)
    except PASS_ON:
        raise
    except MmosError as error:
        return _as_it_is(context, role.model, error.message)
    if not isinstance(answer.data, dict):
        return _as_it_is(context, role.model, "Its answer was not the list that was asked for.")
    texts = dict.fromkeys(map(str.strip, answer.data["texts"]))
    return tuple(text[:LONGEST] for text in texts if text and text != question)[:MOST]


def _as_it_is(context: Context, model: str, why: str) -> tuple[str, ...]:
    context.scope.warn(f"The question was looked up in the library as it is, because {model} did not write it in other words. {why}")
    return ()


def _task(method: str, question: str, templates: Templates) -> str:
    if method == "hyde":
        return templates.fill("rewording_hyde", question=question)
    if method == "expansion":
        return templates.fill("rewording_expansion", question=question)
    return templates.fill("rewording_rewrite", question=question)

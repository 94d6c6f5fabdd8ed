"""Says which text of `prompts/` each role reads, and makes its whole system text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from mmos.config.roles import Guidance, ResolvedRole
from mmos.participant.ladder import instructions, text_for
from mmos.prompting.builder import system_text
from mmos.prompting.templates import Templates, set_of

MODEL = "model"
"""The name, in lists of roles, of a model that answers without a role."""
ARBITER = "arbiter"
SYNTHESIZER = "synthesizer"
INTERPRETER = "interpreter"
SPECIALIST = "specialist"
"""The text of every role that has no text of its own."""
SMALL = "small"
"""The built-in set of prompts for small models."""
SMALL_BILLIONS = 4.0
"""Parameters. Models up to this size are told to work simply by `detail: auto`."""


def purpose_of(role: ResolvedRole, templates: Templates) -> str:
    """What a role is good for."""
    match role.name:
        case _ if role.description:
            return role.description
        case "coding":
            return templates.fill("purpose_coding")
        case "reasoning":
            return templates.fill("purpose_reasoning")
        case "analysis":
            return templates.fill("purpose_analysis")
    return templates.fill("purpose", role=role.name.replace("_", " "))


def text_of(role: ResolvedRole, templates: Templates) -> str:
    """The name of the text in `prompts/` with a role's instructions."""
    if role.name == INTERPRETER:
        return text_for(role.model)
    if role.name in (ARBITER, SYNTHESIZER):
        return role.name
    return role.name if templates.has_role(role.name) else SPECIALIST


def texts_of(role: ResolvedRole, templates: Templates) -> Templates:
    """The texts that a role reads: short ones, if `models` says that its model needs them."""
    return Templates(set_of(SMALL)) if role.prompts == SMALL else templates


def system_of(role: ResolvedRole, roles: Mapping[str, ResolvedRole], templates: Templates) -> str:
    """The system text of a role, without the tools that the `schema` channel adds."""
    return instructions(role, templates) if role.name == INTERPRETER else system_as_member(role, roles, templates)


def system_as_member(role: ResolvedRole, roles: Mapping[str, ResolvedRole], templates: Templates) -> str:
    """The same for a member of a cast. The interpreter, too, may be asked like a specialist."""
    own = _own(role, roles, templates)
    guidance = Guidance() if role.name == INTERPRETER else role.guidance
    return completed(own, replace(role, guidance=guidance), texts_of(role, templates))


def completed(own: str, role: ResolvedRole, templates: Templates) -> str:
    """A text of `prompts/` with all that the configuration adds to it for a role."""
    guidance = replace(role.guidance, detail=_by_size(role.model)) if role.guidance.detail == "auto" else role.guidance
    return system_text(own, guidance, role.system or "", templates)


def _own(role: ResolvedRole, roles: Mapping[str, ResolvedRole], templates: Templates) -> str:
    """The text of `prompts/` for a role."""
    texts = texts_of(role, templates)
    if role.name == ARBITER:
        names = "\n".join(f"- {other.name}: {purpose_of(other, texts)}" for other in roles.values() if other.consultable)
        return texts.fill("arbiter", specialists=names or texts.fill("no_specialists"))
    if role.name == SYNTHESIZER:
        return texts.fill("synthesizer")
    if templates.has_role(role.name):
        return templates.fill_role(role.name, role=role.name, purpose=purpose_of(role, templates))
    return texts.fill("specialist", role=role.name, purpose=purpose_of(role, texts))


def _by_size(model: str) -> Literal["", "simple", "detailed"]:
    from mmos.catalog.naming import billions  # only for roles that ask for it

    size = billions(model)
    return "" if size is None else "simple" if size <= SMALL_BILLIONS else "detailed"

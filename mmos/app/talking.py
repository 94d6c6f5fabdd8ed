"""Makes the terms of talks from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from mmos.app.system_texts import ARBITER, SMALL, texts_of
from mmos.config.load import Config
from mmos.config.roles import ResolvedRole
from mmos.conversing.terms import Terms
from mmos.participant.cast import in_other_words
from mmos.prompting.templates import Templates, set_of


def terms_of(config: Config, roles: Mapping[str, ResolvedRole], purposes: Mapping[str, str], templates: Templates) -> Terms:
    """What holds for talks between the roles that have a purpose here."""
    keys, arbiter = config.orchestration.conversation, roles[ARBITER]
    own = texts_of(arbiter, templates)
    reviewer = in_other_words(arbiter, own.fill("talk_arbiter"), arbiter.choices[1:])
    return Terms(
        reviewer, purposes, {name: roles[name].window for name in purposes}, keys.max_models_per_conversation, keys.max_turns,
        keys.max_rounds, keys.allow_model_to_model, keys.arbiter_reviews_all, keys.include_full_history, config.orchestration.limits.answer_chars,
        own, {name: texts_of(roles[name], templates) for name in purposes}, records=own.folder != set_of(SMALL),
    )  # fmt: skip

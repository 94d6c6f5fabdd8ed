"""Compares what a host counted with what MMOS sent: a prompt that was cut in silence is noticed, and sent again shorter."""

from __future__ import annotations

from mmos.errors import WindowExceeded
from mmos.messages import Reply
from mmos.prompting.compose import Plan

SHORT = 0.7
"""A count below this share of a calibrated estimate shows that the host did not read the whole prompt."""
HALF = 0.85
"""The same, if the count is what Ollama leaves of a prompt that is too long: half the window."""
LEAST_SHARE = 0.2
"""A smaller share of the window is no window of a host: the count is wrong."""


class PromptCutError(WindowExceeded):
    """A host read only a part of the prompt, although it was asked to refuse one that is too long."""


def cut(plan: Plan, reply: Reply, window: int, *, calibrated: bool) -> PromptCutError | None:
    """What a count proves about a prompt. `calibrated`: whether MMOS has seen how the model counts. None: it was read whole, or nothing is known."""
    tokens, expected = reply.usage.prompt_tokens, plan.tokens
    if tokens <= 0 or tokens >= HALF * expected or "cached" in reply.placement:
        return None
    says = f"{reply.host} counted {tokens:,} tokens of a prompt of about {expected:,}: it cut the prompt, although it was asked not to."
    if expected > window // 2 and tokens in range(window // 2, window // 2 + 5):
        return PromptCutError(says, prompt_tokens=window + 1)
    is_new_part = plan.known is not None and abs(tokens - plan.estimated) <= 0.3 * plan.estimated + 10  # all else was in its cache
    if not calibrated or tokens >= SHORT * expected or tokens < LEAST_SHARE * window or is_new_part:
        return None
    return PromptCutError(says, window=tokens)


def overflow(reply: Reply, window: int) -> bool:
    """Whether prompt and answer together are as long as the window, so that the host may have dropped the beginning while it answered."""
    usage = reply.usage
    return reply.done_reason == "stop" and usage.prompt_tokens > 0 and usage.prompt_tokens + usage.output_tokens >= window

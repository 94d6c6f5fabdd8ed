"""Compares what a host counted with what MMOS sent: a prompt that was cut in silence is noticed, and sent again shorter."""

from __future__ import annotations

from mmos.errors import WindowExceeded
from mmos.messages import Reply

SHORT = 0.7
"""Only a count below this share of the estimate can show that the host did not read the whole prompt."""
SURE = 3.0
"""A count shows that only if it is this many times further from the estimate than usual. A text of another kind may have far fewer tokens."""
HALF = 0.85
"""The same, if the count is what Ollama leaves of a prompt that is too long: half the window."""
LEAST_SHARE = 0.2
"""A smaller share of the window is no window of a host: the count is wrong."""


class PromptCutError(WindowExceeded):
    """A host read only a part of the prompt, although it was asked to refuse one that is too long."""


def cut(expected: int, doubt: float, reply: Reply, window: int, *, new: float | None = None) -> PromptCutError | None:
    """What a count proves about a prompt. `doubt`: how far counts usually are from such an estimate. `new`: the tokens that the prompt before did not have.
    None: it was read whole, or nothing is known."""
    tokens = reply.usage.prompt_tokens
    if tokens <= 0 or tokens >= HALF * expected or "cached" in reply.placement:
        return None
    says = f"{reply.host} counted {tokens:,} tokens of a prompt of about {expected:,}: it cut the prompt, although it was asked not to."
    if expected > window // 2 and tokens in range(window // 2, window // 2 + 5):
        return PromptCutError(says, prompt_tokens=window + 1)
    is_new_part = new is not None and abs(tokens - new) <= 0.3 * new + 10  # all else was in its cache
    if tokens >= min(SHORT * expected, expected - SURE * doubt) or tokens < LEAST_SHARE * window or is_new_part:
        return None
    return PromptCutError(says, window=tokens)


def overflow(reply: Reply, window: int) -> bool:
    """Whether prompt and answer together are as long as the window, so that the host may have dropped the beginning while it answered."""
    usage = reply.usage
    return reply.done_reason == "stop" and usage.prompt_tokens > 0 and usage.prompt_tokens + usage.output_tokens >= window

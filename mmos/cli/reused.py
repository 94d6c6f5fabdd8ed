"""Words for how much of the prompts a host need not read again."""

from __future__ import annotations

from collections.abc import Iterable

from mmos.cli.text import flat
from mmos.plurals import counted
from mmos.prompting.reuse import Reuse


def in_words(reuses: Iterable[Reuse]) -> str:
    """`prompts repeated from the ones before: arbiter (qwen2.5:14b) 94 % of 28,863 tokens`. Empty: no prompt came after another one."""
    parts = [f"{flat(use.role)} ({flat(use.model)}) {use.share:.0%} of {counted(use.prompt_tokens, 'token')}" for use in reuses]
    return f"prompts repeated from the ones before: {' · '.join(parts)}".replace("%", " %") if parts else ""

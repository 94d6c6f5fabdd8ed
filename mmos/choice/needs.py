"""Finds what a task needs of a model and of the program: speed, tools, eyes, a long window."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from mmos.choice.request import Request

LONG_CONTEXT = 16_000
"""Tokens above which a task needs a model with a long window."""

_PHRASES: Mapping[str, str] = {
    "speed": r"\burgent(?:ly)?\b|\basap\b|\bas (?:fast|soon|quickly) as (?:possible|you can)\b|\bright (?:now|away)\b|\bhurry\b|\bquick(?:ly)?[ :,-]+"
    r"(?:question|q\b|answer|check|reply|summary|definition|hint|one|look)|\b(?:answer|reply|tell me|respond|explain|check) (?:me )?(?:quickly|fast|briefly)"
    r"|\b(?:short|brief|one[- ]line|one[- ]word) (?:answer|question|reply|definition|summary)|\bin (?:one|a single|two|a few) (?:sentences?|words?|lines?)\b"
    r"|\bjust (?:the|a|tell|give|say)\b|\bno (?:explanations?|details)\b|\btl;?dr\b|\b(?:site|production|prod|server|service|everything) is down\b"
    r"|\boutage\b|\bbefore the (?:meeting|demo|call)\b|\byes or no\b|\bbriefly\b|\b(?:need|want) (?:it|this|that) (?:fast|quick|now|today)\b|\bquick q\b",
    "tools": r"\b(?:this|the|our|my|your) (?:whole |entire )?(?:repo|repository|code ?base|project|working tree|git history|monorepo|workspace)\b"
    r"|\brun (?:the|all|our|my|it|this|these|make|pytest|npm|cargo)\b|\b(?:open|create|send|merge) (?:a |the )?(?:pr|pull request|merge request)\b"
    r"|\b(?:commit|push|deploy) (?:it|this|the|to|and)\b|\bsearch (?:the )?(?:web|internet|online)\b|\blook (?:it )?up\b|\bgoogle\b|https?://"
    r"|\b(?:everywhere|all (?:places|files|usages|callers))\b|\bCI is\b|\bnightly (?:build|job|export)\b|\b(?:latest|current|newest) (?:version|release|price|news)\b"
    r"|\bweather\b|\btoday'?s\b|\b(?:read|open|look at|go through|check|scan|edit|update) [\w./-]*\w\.(?:py|js|ts|tsx|go|java|rb|rs|cpp|c|h|cs|php|md|ya?ml|json|log|txt)\b"
    r"|\b(?:in|from|of|into) [\w.-]{1,40}/[\w./-]{1,80}\.\w{1,5}\b|\bfailing tests?\b|\btests? (?:pass|green)\b|\b(?:call|calls) graph\b|\bwho calls\b|\bfind out (?:where|if|why)\b",
    "vision": r"\bscreen ?shots?\b|\b(?:this|these|attached|following|enclosed) (?:images?|pictures?|photos?|diagrams?|mock-?ups?|drawings?|sketch(?:es)?|charts?|figures?)\b"
    r"|\b(?:image|picture|photo|diagram|mock-?up|drawing|sketch|figure) (?:below|above|attached|I sent|shows)\b|\bin the (?:image|photo|screenshot)\b|data:image/"
    r"|!\[[^\]]*\]\(|\blook at (?:the|my) (?:image|picture|photo|diagram|mock-?up|drawing|sketch)\b",
    "long_context": r"\b(?:whole|entire|complete|full) (?:repo|repository|code ?base|project|monorepo|log|book|file|history|documentation|manual|transcript)\b"
    r"|\ball (?:of )?(?:our|the|my) (?:files|modules|services|logs|documents|tickets)\b|\b\d{2,} (?:files|pages|documents|modules)\b|\b\d,?\d{3} lines\b|\bthousands of\b",
}


def needs_of(request: Request, context_tokens: int) -> dict[str, str]:
    """For each need the words that say so."""
    found = {need: match[0] for need, pattern in _patterns().items() if (match := pattern.search(request.prose))}
    if context_tokens > LONG_CONTEXT:
        found["long_context"] = f"{context_tokens:,} tokens"
    return found


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {need: re.compile(pattern, re.IGNORECASE) for need, pattern in _PHRASES.items()}

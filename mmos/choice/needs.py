"""Finds what a task needs of a model and of the program: speed, tools, eyes, a long window."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mmos.choice.request import Request

LONG_CONTEXT = 16_000
"""Tokens above which a task needs a model with a long window."""

_PHRASES: Mapping[str, Sequence[str]] = {
    "speed": (
        r"urgent(?:ly)?\b",
        r"asap\b",
        r"as (?:fast|soon|quickly) as (?:possible|you can)\b",
        r"right (?:now|away)\b",
        r"hurry\b",
        r"^quick(?:ly)?[:,]",
        r"quick(?:ly)?[ :,-]+(?:question|q\b|answer|check|reply|summary|definition|hint|one|look)",
        r"(?:answer|reply|tell me|respond|explain|check) (?:me )?(?:quickly|fast|briefly)",
        r"(?:short|brief|one[- ]line|one[- ]word) (?:answer|question|reply|definition|summary)",
        r"in (?:one|a single|two|a few) (?:sentences?|words?|lines?)\b",
        r"just (?:the|a|tell|give|say)\b",
        r"no (?:explanations?|details)\b",
        r"tl;?dr\b",
        r"yes or no\b",
        r"briefly\b",
        r"outage\b",
        r"(?:site|production|prod|server|service|everything) is down\b",
        r"before the (?:meeting|demo|call)\b",
        r"(?:need|want|fix) (?:it|this|that) (?:fast|quick|quickly|now|today)\b",
    ),
    "tools": (
        r"(?:this|the|our|my|your) (?:whole |entire )?(?:repo|repository|code ?base|project|working tree|git history|monorepo|workspace)\b",
        r"run (?:the|all|our|my|it|this|these|make|pytest|npm|cargo)\b",
        r"(?:open|create|send|merge) (?:a |the )?(?:pr|pull request|merge request)\b",
        r"(?:commit|push|deploy) (?:it|this|the|to|and)\b",
        r"search (?:the )?(?:web|internet|online)\b",
        r"look (?:it )?up\b",
        r"https?://",
        r"everywhere\b",
        r"all (?:places|files|usages|callers)\b",
        r"nightly (?:build|job|export)\b",
        r"(?:latest|current|newest) (?:version|release|price|news)\b",
        r"weather\b",
        r"today'?s\b",
        r"(?:read|open|look at|go through|check|scan|edit|update) [\w./-]{1,80}\.\w{1,5}\b",
        r"(?:in|from|of|into) [\w.-]{1,40}/[\w./-]{1,80}\.\w{1,5}\b",
        r"failing tests?\b",
        r"tests? (?:pass|green)\b",
        r"who calls\b",
        r"find out (?:where|if|why)\b",
    ),
    "vision": (
        r"screen ?shots?\b",
        r"(?:this|these|attached|following|enclosed) (?:PICTURE)s?\b",
        r"(?:PICTURE) (?:below|above|attached|I sent|shows)\b",
        r"(?:in|look at) (?:the|my) (?:PICTURE)\b",
        r"data:image/",
        r"image:? !\[",
    ),
    "long_context": (
        r"(?:whole|entire|complete|full) (?:repo|repository|code ?base|project|monorepo|log|book|file|history|documentation|manual)\b",
        r"all (?:of )?(?:our|the|my) (?:files|modules|services|logs|documents|tickets)\b",
        r"\d{2,} (?:files|pages|documents|modules)\b",
        r"\d,?\d{3} lines\b",
        r"thousands of\b",
    ),
}
"""What people write who need it."""
_PICTURE = "image|picture|photo|diagram|mock-?up|drawing|sketch|chart|figure"
_PATTERNS = {
    need: re.compile(rf"\b(?:{'|'.join(phrases).replace('PICTURE', _PICTURE)})", re.IGNORECASE) for need, phrases in _PHRASES.items()
}


def needs_of(request: Request, context_tokens: int) -> dict[str, str]:
    """For each need the words that say so."""
    found = {need: match[0] for need, pattern in _PATTERNS.items() if (match := pattern.search(request.prose))}
    if context_tokens > LONG_CONTEXT:
        found["long_context"] = f"{context_tokens:,} tokens"
    return found

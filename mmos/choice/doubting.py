"""Says how much to doubt the class of a text: a title may mean anything, and words of another language say little."""

from __future__ import annotations

from collections.abc import Container

from mmos.choice.features import Features, Tokens
from mmos.choice.lexicon import GROUPS_OF, words_of
from mmos.choice.request import ENDS, Request

MOST_WORDS = 11
TITLE = 1.75
"""By what the differences between the classes of a title are divided. "Use the new client in tests" may be anything."""
STRANGE = 6.0
"""The same for a text whose words are unknown, such as one in another language."""
LEAST_KNOWN = 0.34
"""The part of the words that has to be known. In 99 of 100 English requests it is more than a half."""
_SENTENCE = words_of("the a an this these that those there it its please pls i we you me us my our your can could would need want")
"""Words of whole sentences, and of somebody who talks to somebody."""


def doubt_about(request: Request, tokens: Tokens, features: Features, known: Container[str]) -> float:
    """By what to divide the differences between the classes. `known` are the features that say anything. 1: there is no special doubt."""
    kinds = [kind for kind in tokens.kinds if kind not in ENDS]
    words = [kind for kind in kinds if kind[0] != "<"]
    if sum(kind in GROUPS_OF or f"w:{kind}" in known for kind in words) < LEAST_KNOWN * len(words):
        return STRANGE
    return TITLE if len(kinds) <= MOST_WORDS and _is_title(request, tokens, features) else 1.0


def _is_title(request: Request, tokens: Tokens, features: Features) -> bool:
    """Whether it looks like the title of a commit or a ticket: one line that asks nothing, with no word of whole sentences."""
    text = request.prose.strip()
    if "statement" not in features or request.has_code or request.has_report or "\n" in text or text.endswith("."):
        return False
    return _SENTENCE.isdisjoint(word.lower() for word in tokens.words)

"""Long texts with facts planted in them, and a scripted model that finds such facts by reading its prompt."""

from __future__ import annotations

import random
import re

from mmos.choice.lexicon import words_of
from mmos.rehearsal.prompt import Prompt

_FACT = re.compile(r"The code of \w+ is \d+\.")
_WORDS = sorted(words_of("river stone letter window market garden engine paper winter harbour signal copper lantern ladder bridge meadow"))
FILLER = "NOTHING"


def planted(pages: int, facts: int, seed: int = 1) -> tuple[str, list[str]]:
    """A text of so many pages in chapters, and the facts in it, in their order. A page has about 2,000 characters."""
    chance = random.Random(seed)
    places = sorted(chance.sample(range(pages), facts))
    said = {page: f"The code of {chance.choice(_WORDS)}{page} is {chance.randrange(1000, 9999)}." for page in places}
    texts = []
    for page in range(pages):
        sentences = [
            f"The {chance.choice(_WORDS)} near the {chance.choice(_WORDS)} was older than the {chance.choice(_WORDS)}." for _ in range(40)
        ]
        if page in said:
            sentences.insert(chance.randrange(40), said[page])
        title = f"# Chapter {page // 10 + 1}\n\n" if page % 10 == 0 else ""
        texts.append(title + " ".join(sentences[:20]) + "\n\n" + " ".join(sentences[20:]) + "\n\n")
    return "".join(texts), [said[page] for page in places]


def finder(prompt: Prompt) -> str:
    """Every fact that stands in the newest message, word for word."""
    found = list(dict.fromkeys(_FACT.findall(prompt.user_text)))
    return "\n".join(found) or FILLER

"""Says which classes of a configuration are hard to recognize, by trying each example without itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mmos.choice.classifier import Classifier
from mmos.choice.own_classes import Defined, OwnClass, Words, texts_of, words_in

FEWEST = 3
"""With fewer examples there is nothing that they could have in common."""
ENOUGH = 0.25
"""The part of the examples that the others should be enough to recognize."""


def doubts(classes: Mapping[str, Defined]) -> Iterator[tuple[str, str]]:
    """Names of classes, each with what is wrong with its examples."""
    texts = {name: list(dict.fromkeys(" ".join(text.split()) for text in found.examples)) for name, found in classes.items()}
    words = {name: [words_in(text) for text in texts_of(found)] for name, found in classes.items()}
    owners: dict[str, str] = {}
    for name, examples in texts.items():
        for text in examples:
            if (other := owners.setdefault(text.lower(), name)) != name:
                yield name, f"the example '{text}' is also one of '{other}'; write it for one of them"
        if len(examples) < FEWEST:
            yield name, f"{len(examples)} examples are too few to say what they have in common; give at least {FEWEST} different ones"
        elif (known := _recognized(name, examples, words)) < ENOUGH * len(examples):
            found = f"only {known}" if known else "none"
            yield (
                name,
                f"by the other examples, MMOS recognizes {found} of these {len(examples)}; write more of them, with the words that users write",
            )


def _recognized(name: str, examples: list[str], words: Mapping[str, list[Words]]) -> int:
    """How many examples of a class are recognized by its other examples."""
    others = [OwnClass.of(other, sets) for other, sets in words.items() if other != name]
    count = 0
    for text in examples:
        mine = words_in(text)
        rest = [one for one in words[name] if one.keys() != mine.keys()]
        count += bool(rest) and Classifier([*others, OwnClass.of(name, rest)]).classify(text).type == name
    return count

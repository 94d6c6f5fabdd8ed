"""Finds by rules what goes wrong in a talk: nobody says anything new, one copies another, a contradiction stays open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from mmos.conversing.claims import Claim, alike, claims_of, new_claims, stems
from mmos.conversing.quoting import invented
from mmos.conversing.record import contradictions
from mmos.fences import plain
from mmos.talk_events import TalkNoticed
from mmos.views.talks import Said, Talk

NEARLY_FULL = 0.8
"""Above this share of a window, one more round may not fit: an answer and its tools take the rest."""
LEAST_STALLED = 3
"""One message without a claim may be a question, and the next one its answer."""
PING_PONG = 4
"""Two messages of each side, one after the other, are no exchange of arguments any more if none of them has a new claim."""
LEAST_DRIFTED = 3
"""One message may open a new view, and one may answer it. The third should be back at the question."""
NEAR = 0.2
"""Messages that are about the question share more of their words with the first answers."""
LEAST_TOLD = 6
"""In fewer messages, nobody can dominate."""
DOMINANT = 0.6
DOMINANT_WORDS = 0.8
COPIED = 0.6
"""So many of the runs of five words stand in a message of another one. Quotes and code do not count."""
RUN = 5
LEAST_COPIED = 15
"""A shorter text may be alike by chance."""
REPEATED = 0.7
AT_ONCE = 12
"""Words of an agreement. A longer one gives its reason."""

_NO_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|^[ \t]*>[^\n]*|[\"“„«][^\"”“»\n]{1,400}[\"”“»]", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"\w+")

Finding = tuple[tuple[str, ...], str]
"""Who, and in plain words what."""


@dataclass(frozen=True)
class _Heard:
    """What others read of a talk so far."""

    talk: Talk
    said: list[Said]
    claims: Mapping[int, list[Claim]]
    news: Mapping[int, list[Claim]]
    """The claims that nobody made before."""

    @classmethod
    def of(cls, talk: Talk) -> _Heard:
        claims = claims_of(talk)
        return cls(talk, [one for one in talk.messages if not one.dropped], claims, new_claims(claims))

    @property
    def later(self) -> list[Said]:
        """What came after the first answers."""
        return [one for one in self.said if one.sent.round]


def found(talk: Talk, *, shares: Mapping[str, float] | None = None) -> list[TalkNoticed]:
    """What was not noticed before. `shares`: how much of each participant's window is used."""
    heard = _Heard.of(talk)
    known = {(one.what, frozenset(one.who)) for one in talk.noticed}
    news: list[TalkNoticed] = []
    for what, rule in _RULES.items():
        for who, detail in rule(heard):
            news.append(TalkNoticed(talk.opened.talk, what, who, detail, max(talk.sent, default=0)))
    news += [
        TalkNoticed(talk.opened.talk, "window", (who,), f"{share:.0%} of the window of {who} is used", max(talk.sent, default=0))
        for who, share in (shares or {}).items()
        if share >= NEARLY_FULL
    ]
    return _each_once(news, known)


def _each_once(news: list[TalkNoticed], known: set[tuple[str, frozenset[str]]]) -> list[TalkNoticed]:
    kept: dict[tuple[str, frozenset[str]], TalkNoticed] = {}
    for one in news:
        if (what := (one.what, frozenset(one.who))) not in known:
            kept.setdefault(what, one)
    return list(kept.values())


# ---------------------------------------------------------------- nothing new


def _stall(heard: _Heard) -> Iterator[Finding]:
    least = max(LEAST_STALLED, len(heard.talk.opened.participants))
    last = heard.later[-least:]
    if len(last) < least or any(one.sent.stance == "agree" for one in last):
        return
    if not any(heard.news[one.number] for one in last):
        yield tuple(dict.fromkeys(one.sent.sender for one in last)), f"the last {len(last)} messages have no new claim"


def _ping_pong(heard: _Heard) -> Iterator[Finding]:
    last = heard.later[-PING_PONG:]
    pair = sorted({one.sent.sender for one in last})
    if len(last) < PING_PONG or len(pair) != 2 or any(one.sent.sender == after.sent.sender for one, after in pairwise(last)):
        return
    if any(one.sent.stance == "agree" or heard.news[one.number] for one in last):
        return
    yield tuple(pair), f"{pair[0]} and {pair[1]} answer each other, {PING_PONG} messages without a new claim"


def _repetition(heard: _Heard) -> Iterator[Finding]:
    for index, one in enumerate(heard.said):
        earlier = [before for before in heard.said[:index] if before.sent.sender == one.sent.sender]
        same = next(
            (before for before in earlier if _runs_in(one.sent.text, before.sent.text) >= REPEATED and not heard.news[one.number]), None
        )
        if same is not None:
            yield (one.sent.sender,), f"message {one.number} of {one.sent.sender} repeats its message {same.number}"


# ---------------------------------------------------------------- who says it


def _dominance(heard: _Heard) -> Iterator[Finding]:
    if len(heard.said) < LEAST_TOLD or len(heard.talk.opened.participants) < 2:
        return
    messages, words = Counter[str](), Counter[str]()
    for one in heard.said:
        messages[one.sent.sender] += 1
        words[one.sent.sender] += len(_WORD.findall(_NO_PROSE.sub(" ", one.sent.text)))
    fair = 1 / len(heard.talk.opened.participants)
    for counts, most, of in ((messages, DOMINANT, "messages"), (words, DOMINANT_WORDS, "words")):
        for name, count in counts.most_common(1):
            share = count / max(1, counts.total())
            if share > most and share > 1.4 * fair:
                yield (name,), f"{share:.0%} of the {of} are of {name}"


def _copy(heard: _Heard) -> Iterator[Finding]:
    for index, one in enumerate(heard.said):
        if not one.sent.round or len(_prose(one.sent.text)) < LEAST_COPIED:
            continue
        for before in heard.said[:index]:
            if before.reaches(one.sent.sender) and _runs_in(one.sent.text, before.text) >= COPIED:
                yield (
                    (one.sent.sender, before.sent.sender),
                    f"message {one.number} of {one.sent.sender} copies message {before.number} of {before.sent.sender}",
                )
                break


def _early_agreement(heard: _Heard) -> Iterator[Finding]:
    for name in heard.talk.opened.participants:
        own = [one for one in heard.said if one.sent.sender == name]
        blind = [one for one in own if not one.sent.round]
        first = next((one for one in own if one.sent.round), None)
        if first is None or first.sent.stance != "agree" or heard.news[first.number] or len(_prose(first.sent.text)) > AT_ONCE:
            continue
        others = [
            claim for one in heard.said if one.sent.sender != name and one.number < first.number for claim in heard.claims[one.number]
        ]
        given_up = [claim for one in blind for claim in heard.claims[one.number] if not any(alike(claim, other) for other in others)]
        if others and 2 * len(given_up) > sum(len(heard.claims[one.number]) for one in blind):
            yield (name,), f"{name} agrees at once, and does not say why it gives up its own first answer"


def _impersonation(heard: _Heard) -> Iterator[Finding]:
    for one in heard.talk.messages:
        for who, (start, end) in invented(one.sent.text, heard.talk, one.sent.sender, heard.talk.opened.participants):
            words = " ".join(one.sent.text[start:end].split())[:80]
            yield (one.sent.sender, who), f"message {one.number} of {one.sent.sender} quotes {who}, who did not write that: {words}"


# ---------------------------------------------------------------- what it is about


def _drift(heard: _Heard) -> Iterator[Finding]:
    question = stems(" ".join([heard.talk.opened.topic, heard.talk.opened.goal, *(steered.text for steered in heard.talk.steered)]))
    answers = frozenset[str]().union(*(stems(one.sent.text) for one in heard.said if not one.sent.round))
    last = heard.later[-LEAST_DRIFTED:]
    if len(last) < LEAST_DRIFTED or not question or not answers:
        return
    for one in last:
        words = stems(f"{one.text} {' '.join(one.claims)}")
        if not words or words & question or len(words & answers) > NEAR * len(words):
            return
    yield tuple(dict.fromkeys(one.sent.sender for one in last)), f"the last {LEAST_DRIFTED} messages have no word of the question"


def _contradiction(heard: _Heard) -> Iterator[Finding]:
    """A contradiction after which each participant had a turn, and neither side gave way or took the words of the other."""
    later = {one.number: [after for after in heard.said if after.number > one.number] for one in heard.said}
    for one, other in contradictions(heard.talk):
        after = later.get(max(one.number, other.number), [])
        sides = {one.who, other.who}
        if len(after) < len(heard.talk.opened.participants) or any(
            a.sent.sender in sides and a.sent.stance in ("agree", "partly") for a in after
        ):
            continue
        claims = [claim for a in after for claim in heard.claims[a.number]]
        taken = any(alike(claim, mine) for claim in claims for mine, side in ((one, other.who), (other, one.who)) if claim.who == side)
        if not taken:
            yield tuple(sorted(sides)), f"{one.who}: {one.text} {other.who}: {other.text}"


# ---------------------------------------------------------------- words


def _prose(text: str) -> list[str]:
    return _WORD.findall(plain(_NO_PROSE.sub(" ", text)).casefold())


def _runs_in(text: str, other: str) -> float:
    """The share of the runs of words of a text that stand in another one."""
    words, others = _prose(text), _prose(other)
    length = min(RUN, len(words))
    runs = {tuple(words[at : at + length]) for at in range(len(words) - length + 1)} if length else set()
    of_other = {tuple(others[at : at + length]) for at in range(len(others) - length + 1)}
    return len(runs & of_other) / len(runs) if runs else 0.0


_RULES: Mapping[str, Callable[[_Heard], Iterator[Finding]]] = {
    "ping_pong": _ping_pong,
    "stall": _stall,
    "repetition": _repetition,
    "drift": _drift,
    "dominance": _dominance,
    "contradiction": _contradiction,
    "copy": _copy,
    "early_agreement": _early_agreement,
    "impersonation": _impersonation,
}

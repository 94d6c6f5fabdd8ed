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
from mmos.prompting.templates import Templates
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
    templates: Templates
    said: list[Said]
    claims: Mapping[int, list[Claim]]
    news: Mapping[int, list[Claim]]
    """The claims that nobody made before."""

    @classmethod
    def of(cls, talk: Talk, templates: Templates) -> _Heard:
        claims = claims_of(talk)
        return cls(talk, templates, [one for one in talk.messages if not one.dropped], claims, new_claims(claims))

    @property
    def later(self) -> list[Said]:
        """What came after the first answers."""
        return [one for one in self.said if one.sent.round]


def found(talk: Talk, templates: Templates, *, shares: Mapping[str, float] | None = None) -> list[TalkNoticed]:
    """What was not noticed before. `shares`: how much of each participant's window is used."""
    heard = _Heard.of(talk, templates)
    known = {(one.what, frozenset(one.who)) for one in talk.noticed}
    findings = [(what, *finding) for what, rule in _RULES.items() for finding in rule(heard)]
    findings += [("window", *finding) for finding in _window(heard, shares or {})]
    newest = max(talk.sent, default=0)
    return _each_once([TalkNoticed(talk.opened.talk, what, who, detail, newest) for what, who, detail in findings], known)


def _window(heard: _Heard, shares: Mapping[str, float]) -> Iterator[Finding]:
    for who, share in shares.items():
        if share >= NEARLY_FULL:
            yield (who,), heard.templates.fill("noticed_window", share=f"{share:.0%}", name=who)


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
        yield tuple(dict.fromkeys(one.sent.sender for one in last)), heard.templates.fill("noticed_stall", count=str(len(last)))


def _ping_pong(heard: _Heard) -> Iterator[Finding]:
    last = heard.later[-PING_PONG:]
    pair = sorted({one.sent.sender for one in last})
    if len(last) < PING_PONG or len(pair) != 2 or any(one.sent.sender == after.sent.sender for one, after in pairwise(last)):
        return
    if any(one.sent.stance == "agree" or heard.news[one.number] for one in last):
        return
    yield tuple(pair), heard.templates.fill("noticed_ping_pong", one=pair[0], other=pair[1], count=str(PING_PONG))


def _repetition(heard: _Heard) -> Iterator[Finding]:
    for index, one in enumerate(heard.said):
        earlier = [before for before in heard.said[:index] if before.sent.sender == one.sent.sender]
        same = next(
            (before for before in earlier if _runs_in(one.sent.text, before.sent.text) >= REPEATED and not heard.news[one.number]), None
        )
        if same is not None:
            who, number, earlier_one = one.sent.sender, str(one.number), str(same.number)
            yield (who,), heard.templates.fill("noticed_repetition", number=number, name=who, earlier=earlier_one)


# ---------------------------------------------------------------- who says it


def _dominance(heard: _Heard) -> Iterator[Finding]:
    if len(heard.said) < LEAST_TOLD or len(heard.talk.opened.participants) < 2:
        return
    messages, words = Counter[str](), Counter[str]()
    for one in heard.said:
        messages[one.sent.sender] += 1
        words[one.sent.sender] += len(_WORD.findall(_NO_PROSE.sub(" ", one.sent.text)))
    fair = 1 / len(heard.talk.opened.participants)
    for name, share in _leading(messages, max(DOMINANT, 1.4 * fair)):
        yield (name,), heard.templates.fill("noticed_dominance", share=share, name=name)
    for name, share in _leading(words, max(DOMINANT_WORDS, 1.4 * fair)):
        yield (name,), heard.templates.fill("noticed_dominance_words", share=share, name=name)


def _leading(counts: Counter[str], most: float) -> Iterator[tuple[str, str]]:
    """Who has more than this share of all, and which share."""
    for name, count in counts.most_common(1):
        share = count / max(1, counts.total())
        if share > most:
            yield name, f"{share:.0%}"


def _copy(heard: _Heard) -> Iterator[Finding]:
    for index, one in enumerate(heard.said):
        if not one.sent.round or len(_prose(one.sent.text)) < LEAST_COPIED:
            continue
        for before in heard.said[:index]:
            if before.reaches(one.sent.sender) and _runs_in(one.sent.text, before.text) >= COPIED:
                who, number, copied = (one.sent.sender, before.sent.sender), str(one.number), str(before.number)
                yield who, heard.templates.fill("noticed_copy", number=number, name=who[0], earlier=copied, other=who[1])
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
            yield (name,), heard.templates.fill("noticed_early_agreement", name=name)


def _impersonation(heard: _Heard) -> Iterator[Finding]:
    for one in heard.talk.messages:
        for who, (start, end) in invented(one.sent.text, heard.talk, one.sent.sender, heard.talk.opened.participants):
            words = " ".join(one.sent.text[start:end].split())[:80]
            detail = heard.templates.fill("noticed_impersonation", number=str(one.number), name=one.sent.sender, other=who, words=words)
            yield (one.sent.sender, who), detail


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
    yield tuple(dict.fromkeys(one.sent.sender for one in last)), heard.templates.fill("noticed_drift", count=str(LEAST_DRIFTED))


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
            detail = heard.templates.fill("noticed_contradiction", one=one.who, claim=one.text, other=other.who, opposite=other.text)
            yield tuple(sorted(sides)), detail


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

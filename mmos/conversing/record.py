"""Writes down what came of a talk, as far as rules can tell, and checks what the arbiter adds to it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from mmos.conversing.claims import Claim, alike, claims_of, opposed, stems
from mmos.views.talks import Talk

FIELDS = ("consensus", "contradictions", "partial_coverage", "unique_insights", "blind_spots")
WHOSE = ("consensus", "unique_insights")
"""A claim is of several, or of one: not both."""
MOST = 5
"""Entries of a kind. More would be a transcript."""
LONGEST = 400
MOST_DISPUTED = 20
LEAST_WORDS = 3
"""A shorter point, such as `find the cause`, is answered in other words. A shorter claim says little by itself."""

Entry = dict[str, Any]
"""`{"text", "who": [names], "evidence": [message numbers]}`"""
Record = dict[str, list[Entry]]

_POINT = re.compile(r"[,;:.?!\n]+|\b(?:and|und|et|y|then)\b")


def drafted(talk: Talk) -> Record:
    """The record by rules alone."""
    groups = _groups(talk)
    shared = [group for group in groups if len(_who(group)) > 1]
    disputed = contradictions(talk)
    open_claims = {claim for pair in disputed for claim in pair}
    alone = [group for group in groups if len(_who(group)) == 1 and not open_claims.intersection(group)]
    points = _touched(talk)
    return {
        "consensus": [_entry(group[0].text, group) for group in shared if not open_claims.intersection(group)][:MOST],
        "contradictions": [_entry(f"{one.text} / {other.text}", [one, other]) for one, other in disputed][:MOST],
        "partial_coverage": [
            _point(text, who) for text, who in points if len({name for name, _ in who}) == 1 and len(talk.opened.participants) > 1
        ][:MOST],
        "unique_insights": [_entry(group[0].text, group) for group in alone if len(group[0].words) >= LEAST_WORDS][-MOST:],
        "blind_spots": [_point(text, who) for text, who in points if not who][:MOST],
    }


def checked(written: Mapping[str, Any], talk: Talk) -> tuple[Record, list[str]]:
    """What the arbiter wrote, without what names nobody and nothing of the talk; and what was left out, with the reason."""
    kept: Record = {name: [] for name in FIELDS}
    problems: list[str] = []
    for name in FIELDS:
        for entry in _entries(written.get(name)):
            wrong = _wrong(name, entry, talk)
            if wrong:
                problems.append(f"{name}: {wrong}: {entry['text'][:80]}")
            else:
                kept[name].append(entry)
    return kept, problems


def merged(ruled: Record, written: Record) -> Record:
    """What the arbiter wrote, and after it what rules found and it did not mention."""
    return {name: [*written.get(name, []), *_untold(name, ruled, written)][: 2 * MOST] for name in FIELDS}


def _untold(name: str, ruled: Record, written: Record) -> list[Entry]:
    """What only rules found. A claim that the arbiter ascribes to one alone is no consensus beside that, and the other way round."""
    told = [entry for field in (WHOSE if name in WHOSE else (name,)) for entry in written.get(field, [])]
    return [entry for entry in ruled.get(name, []) if not _is_told(entry, told)]


def contradictions(talk: Talk) -> list[tuple[Claim, Claim]]:
    """Pairs of claims of two participants that cannot both be true. If one of them gave way later, there is none."""
    claims = [claim for made in claims_of(talk).values() for claim in made]
    pairs = (
        (one, other)
        for index, one in enumerate(claims)
        for other in claims[index + 1 :]
        if one.who != other.who and opposed(one, other) and not _gave_way(talk, (one, other), claims)
    )
    return [*islice(pairs, MOST_DISPUTED)]


def _gave_way(talk: Talk, pair: tuple[Claim, Claim], claims: Sequence[Claim]) -> bool:
    """Whether one of the two later agrees with the other one, or claims the same."""
    last = max(one.number for one in pair)
    for mine, its in (pair, pair[::-1]):
        if any(
            said.number > last and (said.sent.sender, said.sent.stance, said.to) == (mine.who, "agree", its.who) for said in talk.messages
        ):
            return True
        if any(claim.number > last and claim.who == mine.who and alike(claim, its) for claim in claims):
            return True
    return False


def _groups(talk: Talk) -> list[list[Claim]]:
    """Claims that say the same, together, in the order of the talk."""
    claims = claims_of(talk)
    groups: list[list[Claim]] = []
    for claim in (claim for made in claims.values() for claim in made):
        group = next((group for group in groups if alike(group[0], claim)), None)
        if group is None:
            groups.append([claim])
        else:
            group.append(claim)
    for said in talk.messages:
        if not said.dropped and said.sent.stance == "agree" and said.to in talk.opened.participants:
            _support(groups, Claim("", said.sent.sender, said.number), _newest(claims, said.to, said.number))
    return groups


def _support(groups: list[list[Claim]], by: Claim, claims: Collection[Claim]) -> None:
    """Who agrees with a participant by name supports what it claimed last."""
    for group in groups:
        if any(alike(group[0], claim) for claim in claims) and by.who not in _who(group):
            group.append(by)


def _newest(claims: Mapping[int, Sequence[Claim]], who: str, before: int) -> Sequence[Claim]:
    """What a participant claimed in its last message before this one."""
    return next((made for number, made in sorted(claims.items(), reverse=True) if number < before and made and made[0].who == who), ())


def _touched(talk: Talk) -> list[tuple[str, list[tuple[str, int]]]]:
    """Each point of the goal, with who wrote a word of it, and where. A topic without a goal has no list of points."""
    found = []
    for text in _POINT.split(talk.opened.goal):
        words = stems(text)
        if len(words) >= LEAST_WORDS:
            told = [
                (said.sent.sender, said.number)
                for said in talk.messages
                if not said.dropped and words & stems(f"{said.text} {' '.join(said.claims)}")
            ]
            found.append((text.strip(), told))
    return found


def _who(claims: Sequence[Claim]) -> list[str]:
    return list(dict.fromkeys(claim.who for claim in claims))


def _entry(text: str, claims: Sequence[Claim]) -> Entry:
    return {"text": text[:LONGEST], "who": _who(claims), "evidence": sorted({claim.number for claim in claims})}


def _point(text: str, told: Sequence[tuple[str, int]]) -> Entry:
    return {"text": text[:LONGEST], "who": list(dict.fromkeys(who for who, _ in told)), "evidence": [number for _, number in told]}


def _entries(value: Any) -> Iterator[Entry]:
    """The entries of a list that a model wrote, each in the form of ours."""
    for one in value if isinstance(value, list) else ():
        entry = {"text": one} if isinstance(one, str) else one
        if isinstance(entry, Mapping) and isinstance(entry.get("text"), str) and entry["text"].strip():
            who, evidence = entry.get("who"), entry.get("evidence")
            yield {
                "text": entry["text"].strip()[:LONGEST],
                "who": [name for name in who if isinstance(name, str)] if isinstance(who, list) else [],
                "evidence": [number for number in evidence if isinstance(number, int) and not isinstance(number, bool)]
                if isinstance(evidence, list)
                else [],
            }


def _wrong(name: str, entry: Entry, talk: Talk) -> str:
    """Why an entry is left out. Empty: it stays. What nobody said needs no witness."""
    strangers = [who for who in entry["who"] if who not in talk.opened.participants]
    missing = [number for number in entry["evidence"] if number not in talk.sent]
    if strangers:
        return f"{', '.join(strangers)} did not take part"
    if missing:
        return f"there is no message {', '.join(map(str, missing))}"
    if name == "blind_spots":
        return ""
    if not entry["evidence"]:
        return "no message is named as evidence"
    senders = {talk.sent[number].sender for number in entry["evidence"]}
    silent = [who for who in entry["who"] if who not in senders]
    return f"{', '.join(silent)} wrote none of these messages" if silent else ""


def _is_told(entry: Entry, others: Sequence[Entry]) -> bool:
    mine = Claim(entry["text"], "", 0)
    return any(alike(mine, Claim(other["text"], "", 0)) for other in others)

"""Checks the terms of a contest before it begins, and says what came of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from mmos.app.contest import FIRST, SECOND, Contest, Hall, Judgement
from mmos.app.entrants import Entrant
from mmos.comparing.cases import Case, case_of
from mmos.comparing.comparison import WITHIN, Comparison, compare
from mmos.comparing.final import visible
from mmos.comparing.scores import Preference, Score
from mmos.comparing.sides import Given
from mmos.errors import ModelMissing, UsageError
from mmos.plurals import counted

MOST_SAMPLES = 1_000
NEXT = "Add what is expected to each case, or let a model compare the answers: --judge auto"


def numbered(cases: Iterable[str | Case | Mapping[str, Any]]) -> Iterable[Case]:
    """Cases with ids that are all different."""
    if isinstance(cases, str | Mapping):
        raise UsageError(
            "cases: found one, allowed: many texts or mmos.Cases.", next_step='Give a list: [mmos.Case("What is 6 times 7?", 42)]'
        )
    taken: set[str] = set()
    for number, case in enumerate(cases, 1):
        made = Case(case) if isinstance(case, str) else case if isinstance(case, Case) else case_of(case, number)
        made = made.named(made.id or str(number))
        if made.id in taken:
            raise UsageError(f"Two cases have the id {made.id!r:.60}.")
        taken.add(made.id)
        yield made


def check_terms(cases: Sequence[Case], judge: str, samples: int, within: float) -> None:
    """Raise if these cases cannot be compared like this."""
    if not cases:
        raise UsageError("There are no cases.", next_step="Give at least one.")
    if not 1 <= samples <= MOST_SAMPLES:
        raise UsageError(f"samples is {samples}: allowed is 1 to {MOST_SAMPLES:,}.")
    if not 0 <= within < 1:
        raise UsageError(f"within is {within}: allowed is a number from 0 to less than 1, such as 0.03.")
    open_cases = [case.id for case in cases if case.expectation is None]
    if open_cases and not judge:
        have = "has" if len(open_cases) == 1 else "have"
        raise UsageError(
            f'{len(open_cases):,} of {counted(len(cases), "case")} {have} no "expect". The first is {open_cases[0]!r:.60}.', next_step=NEXT
        )


async def check_models(app: Hall, entrants: Sequence[Entrant]) -> None:
    """Raise if no host has the model of a side: then each of its answers would be wrong for no reason of its own."""
    await app.fleet.census(fresh=True)
    for entrant in (one for one in entrants if one.function is None):
        member = app.cast(entrant.options)[entrant.options.answering]
        found = [app.fleet.faults(choice.role.model, choice.role.servers) for choice in member.choices]
        faults = [fault for of_model in found for fault in of_model.values()]
        if all(found) and all(isinstance(fault, ModelMissing) for fault in faults):
            raise faults[0]


# ---------------------------------------------------------------- what came of it


def comparison_of(contest: Contest, within: float = WITHIN, seed: int = 0, sides: Sequence[str] = ()) -> Comparison:
    """The comparison of what the sides have given so far. `sides`: some of them alone. Empty: all."""
    preferences, notes = _preferences(contest)
    scores = [score_of(one.entrant.name, one.case, contest.given[one.number]) for one in contest.attempts if one.number in contest.given]
    names = list(sides) or [entrant.name for entrant in contest.entrants]
    scores = [score for score in scores if score.side in names]
    if contest.terms.judge in names and contest.judgements:
        notes.append(f"The judge {contest.terms.judge} is one of the sides. Models tend to prefer their own answers.")
    if contest.terms.judge and not contest.judgements:
        notes.append("All cases say what they expect, so the judge was not needed.")
    groups = {case.id: case.group or case.type or "" for case in contest.cases}
    return compare(scores, preferences, sides=names, within=within, seed=seed, notes=notes, groups=groups)


def score_of(side: str, case: Case, given: Given) -> Score:
    """1 for what was expected, 0 for all else. None where nothing was expected."""
    if given.text is None:
        return Score(side, case.id, 0.0 if case.expectation else None, given.cost, given.why, failed=True)
    if case.expectation is None:
        return Score(side, case.id, None, given.cost)
    problem = case.expectation.problem(visible(given.text))
    return Score(side, case.id, 0.0 if problem else 1.0, given.cost, problem)


def _preferences(contest: Contest) -> tuple[list[Preference], list[str]]:
    """Which answer is better where nothing was expected, and what to know of the judge."""
    looks: defaultdict[tuple[int, int], list[Judgement]] = defaultdict(list)
    for judgement in contest.judgements:
        looks[judgement.a.number, judgement.b.number].append(judgement)
    found, kinds = [], Counter[str]()
    for both in looks.values():
        share, kind = _share(contest, both)
        kinds[kind] += 1
        if share is not None:
            found.append(Preference(both[0].case.id, both[0].a.entrant.name, both[0].b.entrant.name, share))
    notes = []
    if kinds["inconsistent"]:
        judged = kinds["inconsistent"] + kinds["judged"]
        notes.append(
            f"The judge said something else when the answers changed places, on {kinds['inconsistent']} of {judged} pairs: they count as ties."
        )
    if kinds["unjudged"]:
        notes.append(f"The judge gave no verdict on {counted(kinds['unjudged'], 'pair')}: they do not count.")
    return found, notes


def _share(contest: Contest, both: Sequence[Judgement]) -> tuple[float | None, str]:
    """1 if the first side is preferred in both orders, 0 if the second one is, 0.5 for neither. None: nobody has judged."""
    a, b = (contest.given.get(one.number) for one in (both[0].a, both[0].b))
    if a is None or b is None:
        return None, "unanswered"
    if a.text is None or b.text is None or a.text.strip() == b.text.strip():
        return 0.5 * (1 + (a.text is not None) - (b.text is not None)), "plain"
    said = [_said(one, contest.given.get(one.number)) for one in both]
    if None in said:
        return None, "unjudged"
    return (said[0], "judged") if said[0] == said[1] else (0.5, "inconsistent")


def _said(judgement: Judgement, given: Given | None) -> float | None:
    if given is None or given.text is None:
        return None
    better = orjson.loads(given.text)["better"]
    first, second = (SECOND, FIRST) if judgement.is_swapped else (FIRST, SECOND)
    return {first: 1.0, second: 0.0}.get(better, 0.5)

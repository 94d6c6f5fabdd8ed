"""The parallel form: each member has a part of its own, an aspect or some of the files, and the results are put together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmos.fences import Fenced
from mmos.messages import File
from mmos.patterns.carrying import too_few
from mmos.patterns.plan import Contributor
from mmos.patterns.steps import filled, instruction
from mmos.patterns.work import Contribution, Outcome, Work

AT_ONCE = 16
"""The most parts that one member works on at the same time, if its hosts take so many."""
MOST_CONFLICTS = 20
CONFLICTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "conflicts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "between": {"type": "array", "items": {"type": "string"}},
                    "about": {"type": "string"},
                    "resolved": {"type": "string"},
                },
                "required": ["between", "about", "resolved"],
            },
        }
    },
    "required": ["conflicts"],
}
"""What the aggregator finds before it writes."""


@dataclass(frozen=True)
class Part:
    """What one member does."""

    key: str
    name: str
    """Of its result, for the reader of all: an aspect, a file, or the member."""
    member: Contributor
    text: str
    work: Work
    task: str = ""
    other: Contributor | None = None
    """Who takes it over when the member fails."""


class Parallel:
    """Members with tasks have one aspect each. Without tasks, they share the files; without files, each gives an alternative."""

    async def run(self, work: Work) -> Outcome:
        parts = _parts(work)
        gates = {one.name: asyncio.Semaphore(min(AT_ONCE, work.context.room.slots(one.who))) for one in work.plan.members}

        async def ask(part: Part, member: Contributor, key: str) -> Contribution:
            async with gates[member.name]:  # a part that waits here loses nothing of the time for its answer
                return await part.work.ask(member, part.text, key=key, task=part.task)

        async def done(part: Part) -> Contribution:
            given = await ask(part, part.member, part.key)
            if given.ok or part.other is None:
                return given
            return replace(await ask(part, part.other, f"{part.key}-again"), key=part.key)

        given = {one.key: one for one in await work.side_by_side([done(part) for part in parts])}
        results = [(part.name, given[part.key]) for part in parts if part.key in given and given[part.key].ok]
        if len(results) < work.plan.min_members:
            raise too_few(work, len(results))
        missing = [part.name for part in parts if part.key not in given or not given[part.key].ok]
        return await _reduced(work, results, f"without {', '.join(missing)}" if missing else "")


def _parts(work: Work) -> list[Part]:
    members, files = work.plan.members, [file for file in work.message.files if not file.image]
    if len(files) > 1 and not any(one.task for one in members):
        return [_of_file(work, number, file) for number, file in enumerate(files)]
    return [Part(f"{number}-{one.name}", one.task or one.name, one, _words(work, one), work) for number, one in enumerate(members, 1)]


def _of_file(work: Work, number: int, file: File) -> Part:
    members = work.plan.members
    member, other = members[number % len(members)], members[(number + 1) % len(members)]
    alone = replace(work, message=replace(work.message, files=(file,)))
    return Part(f"{number + 1}-file", file.name, member, _words(work, member), alone, file.name, None if other is member else other)


def _words(work: Work, member: Contributor) -> str:
    if member.prompt:
        return filled(member.prompt, work.task, "")
    told = instruction(work.plan.templates, member.task)
    return work.plan.templates.fill("part_of_task", instruction=told, input=work.task) if told else work.task


async def _reduced(work: Work, results: Sequence[tuple[str, Contribution]], missing: str) -> Outcome:
    """One text of all results. Contradictions are found first, and named."""
    if len(results) == 1:
        return Outcome(results[0][1].text, results[0][1].key, why=missing)
    listed = _listed(work, results)
    conflicts = await _conflicts(work, listed)
    templates = work.plan.templates
    told = Fenced(
        "\n".join(
            templates.fill("one_conflict", between=" / ".join(one.between), about=one.about, resolved=one.resolved) for one in conflicts
        )
    )
    text = templates.fill(
        "merge", instruction=work.plan.aggregation_prompt, input=work.task, results=listed, conflicts=told or templates.fill("no_conflict")
    )
    merged = await work.decide(text, "merge", "merge", aloud=True, files=False)
    if not merged.ok:  # the results are there, so they are given as they are
        return Outcome(_side_by_side(results), status="partial", why=f"the results were not put together: {merged.why}")
    return Outcome(merged.text, dissent={" / ".join(one.between): one.about for one in conflicts if not one.resolved}, why=missing)


async def _conflicts(work: Work, listed: str) -> Sequence[Any]:
    """The contradictions between the results. Nobody can say: none are known."""
    text = work.plan.templates.fill("find_conflicts", input=work.task, results=listed)
    found = await work.decide(text, "conflicts", "find conflicts", answer=CONFLICTS, files=False)
    rows = found.data.get("conflicts", []) if found.ok and isinstance(found.data, dict) else []
    for row in rows[:MOST_CONFLICTS]:
        if row["between"] and row["about"].strip():
            work.conflict(row["between"], row["about"], row["resolved"])
    return work.record.conflicts


def _listed(work: Work, results: Sequence[tuple[str, Contribution]]) -> str:
    return Fenced("\n\n".join(work.plan.templates.fill("advice_of", name=name, text=one.text) for name, one in results))


def _side_by_side(results: Sequence[tuple[str, Contribution]]) -> str:
    return "\n\n".join(f"## {name}\n\n{one.text}" for name, one in results)

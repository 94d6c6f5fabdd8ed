"""Has a model write one answer of several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mmos.fences import one_line
from mmos.patterns.anonymous import lettered, listed
from mmos.patterns.choosing import by_rules
from mmos.patterns.work import Contribution, Outcome, Work

WRITE = "synthesize"
LONGEST_DISSENT = 300
_DISSENT = re.compile(
    r"^[ \t>*_-]{0,8}DISSENT[ \t]+(?:of[ \t]+)?(?:answer[ \t]+)?([A-Z]{1,3})[ \t*_]{0,4}:[ \t*_]*(\S.*?)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)


async def synthesized(work: Work, given: Sequence[Contribution], weights: Mapping[str, float] | None = None) -> Outcome:
    """One answer of all. What an answer says against it stays, as a line under it."""
    answers = lettered(work, given, WRITE)
    text = work.plan.templates.fill(
        "write_one", instruction=work.plan.aggregation_prompt, input=work.task, answers=listed(work, answers, weights)
    )
    written = await work.decide(text, WRITE, WRITE, files=False)
    if not written.ok:
        chosen = by_rules(work, given)[0]
        return Outcome(chosen.text, chosen.key, status="partial", why=f"no one answer was written: {written.why}")
    body, dissent = _divided(written.text, answers)
    return Outcome("\n\n".join(filter(None, (body, dissent_lines(work, dissent)))), dissent=dissent)


async def weighted(work: Work, given: Sequence[Contribution]) -> Outcome:
    """Answers that can be counted are counted by weight. Of others, one answer is written, and the writer knows the weights."""
    from mmos.patterns.counting import counted_by_weight

    weights = {one.member.name: one.member.weight for one in given}
    return await counted_by_weight(work, given) or await synthesized(work, given, weights)


def dissent_lines(work: Work, dissent: Mapping[str, str]) -> str:
    """What the user reads under an answer that was put together."""
    return "\n".join(work.plan.templates.fill("disagrees", name=name, text=text) for name, text in dissent.items())


def _divided(text: str, answers: Mapping[str, Contribution]) -> tuple[str, dict[str, str]]:
    """The answer, and by name what members say against it. A letter that nobody has stays in the text."""
    dissent: dict[str, str] = {}

    def taken(line: re.Match[str]) -> str:
        author = answers.get(line[1].upper())
        if author is None:
            return line[0]
        dissent[author.member.name] = one_line(line[2])[:LONGEST_DISSENT]
        return ""

    body = _DISSENT.sub(taken, text).strip()
    return (body, dissent) if body else (text, {})

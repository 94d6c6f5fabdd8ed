"""Words for the validation of an answer: lines of progress, lines of a record, and the verdict at the end."""

from __future__ import annotations

from collections.abc import Iterator

from mmos import events
from mmos.cli.output import one_line
from mmos.quality_events import AnswerJudged, AnswerRevised, ImprovementTried, JudgeTried
from mmos.views.quality import VALIDATION, Validation, is_judgement, is_validation

WIDTH = 110


def working(event: events.Event) -> str:
    """What a validation does now. Empty: something else happens."""
    match event:
        case events.ModelAsked(lane=lane, model=model) if is_judgement(lane):
            return _judging(lane, model)
        case events.LaneOpened(lane=lane, role=role) if lane.rpartition("/")[0].endswith(f"/{VALIDATION}") and not is_judgement(lane):
            return f"asking {role} for a better answer"
    return ""


def _judging(lane: str, model: str) -> str:
    kind = lane.rpartition("/")[2].partition("-")[0]
    if kind == "canary":
        return f"testing {model} as a judge"
    return f"comparing two answers with {model}" if kind == "compare" else f"checking the answer with {model}"


def cause(lane: str) -> str:
    """Why somebody was asked in a lane of a validation. Empty: it is another lane."""
    if not is_validation(lane):
        return ""
    kind = lane.rpartition("/")[2].partition("-")[0]
    return _CAUSES.get(kind, "to give a better answer")


_CAUSES = {"judge": "to check the answer", "canary": "to see whether it can judge", "compare": "to compare two answers"}


def seen(event: events.Event) -> str:
    """What an event of a validation says to somebody who watches the run. Empty: nothing."""
    match event:
        case AnswerJudged():
            return summary(event)
        case ImprovementTried(step=step, kept=True, why=why):
            return f"  ✓ {step} is better: {one_line(why, WIDTH)}"
        case ImprovementTried(step=step, why=why):
            return f"  ✗ {step} is not kept: {one_line(why, WIDTH)}"
    return working(event)


def record(event: events.Event) -> str:
    """What a record of the run says of an event. Empty: it is not of a validation."""
    match event:
        case JudgeTried(model=model, canary=canary, right=right):
            return f"{model} was {'right' if right else 'wrong'} about the known answer {canary}"
        case AnswerJudged(step=step, reasons=reasons):
            return f"{summary(event)} ({step}): {one_line('; '.join(reasons), WIDTH)}"
        case ImprovementTried():
            return seen(event).strip()
        case AnswerRevised(step=step):
            return f"{step} is the answer"
    return ""


def summary(judged: AnswerJudged) -> str:
    """A verdict in short."""
    by = f" ({', '.join(judged.judges)})" if judged.judges else ""
    numbers = f" · score {judged.score:.2f}, needed {judged.threshold:.2f} · confidence {judged.confidence:.2f}"
    return f"the answer {_WORDS.get(judged.verdict, 'was judged')}{by}{numbers if judged.judged or judged.certain else ''}"


def brief(validation: Validation) -> str:
    """The verdict in a few words. Empty: nobody judged the answer."""
    judged = validation.verdict
    if judged is None:
        return ""
    return f"{_WORDS.get(judged.verdict, 'was judged')}{f', score {judged.score:.2f}' if judged.judged or judged.certain else ''}"


_WORDS = {"pass": "passed its check", "fail": "did not pass its check", "cannot_verify": "could not be verified"}


def lines(validation: Validation) -> Iterator[str]:
    """The verdict on the answer of a run, with what was found. Nothing if nobody judged it."""
    judged = validation.verdict
    if judged is None:
        return
    yield summary(judged)
    for finding in judged.findings:
        place = f"{finding.get('where')}: " if finding.get("where") else ""
        text = f"{place}{finding.get('message', '')} {finding.get('cure', '')}".strip()
        yield f"  {finding.get('severity', '')}: {finding.get('kind', '')}: {one_line(text, 2 * WIDTH)}"
    for reason in judged.reasons:
        yield f"  {one_line(reason, WIDTH)}"

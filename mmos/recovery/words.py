"""Words what a participant reads of a suggestion that is carried out. From events alone, so a replay finds the same words."""

from __future__ import annotations

from collections.abc import Iterable

from mmos.errors import ToolError
from mmos.fences import fenced, poses
from mmos.prompting.templates import Templates
from mmos.recovery.suggestions import APPROACH, ASK_USER, PHASE, ROLLBACK
from mmos.views.recoveries import RETRY, Attempt
from mmos.views.run import RunView


def question_id(attempt: Attempt) -> str:
    """The call id of a question to the user that belongs to a recovery."""
    return f"{attempt.begun.lane}#{attempt.begun.recovery}"


def words_of(attempt: Attempt, view: RunView, templates: Templates, done: Iterable[str] = ()) -> str:
    """What the participant reads. Empty: it reads nothing of it. `done`: the calls with effects that it does not see any more."""
    calls = "\n".join(f"- {call}" for call in done)
    return "\n\n".join(filter(None, (_advice(attempt, view, templates), templates.fill("advice_done", calls=calls) if calls else "")))


def _advice(attempt: Attempt, view: RunView, templates: Templates) -> str:
    if attempt.suggested is None:
        return ""
    name = attempt.suggested.suggestion
    arguments = {key: _set_apart(str(value)) for key, value in attempt.suggested.arguments.items()}
    reason = arguments.get("reason", "")
    if name == RETRY and not attempt.begun.call:
        words = "\n\n".join(arguments[key] for key in ("query", "context") if arguments.get(key))
        return templates.fill("advice_retry", query=words) if words else ""
    if name == APPROACH:
        return templates.fill("advice_approach", approach=arguments.get("approach", ""))
    if name == ROLLBACK:
        return templates.fill("advice_rollback", reason=reason)
    if name == PHASE:
        return templates.fill("advice_phase", phase=arguments.get("phase", ""), reason=reason)
    if name == ASK_USER and (answer := _answer(attempt, view)):
        return templates.fill("advice_user", question=arguments.get("question", ""), answer=answer)
    return ""


def _set_apart(text: str) -> str:
    """The words of an adviser. If they pose as words of the user or of MMOS, they stand between lines of their own."""
    return fenced(text) if poses(text) else text


def _answer(attempt: Attempt, view: RunView) -> str:
    question = str(attempt.suggested.arguments.get("question", "")) if attempt.suggested else ""
    asked = (one for one in view.questions.values() if (one.call, one.text) == (question_id(attempt), question))
    return next((view.answers[one.question].text for one in asked if one.question in view.answers), "")


def advised(error: ToolError, attempts: Iterable[Attempt], view: RunView, templates: Templates) -> ToolError:
    """The error as the caller reads it: with the advice that came with it."""
    found = [words for attempt in attempts if _counts(attempt) and (words := words_of(attempt, view, templates))]
    if not found:
        return error
    own = error.report or templates.fill("error", message=str(error))
    return ToolError(error.message, report=templates.fill("advised_call", result=own, advice=found[-1]), code=error.code)


def _counts(attempt: Attempt) -> bool:
    """Whether the advice was given: it was not refused, and could be carried out. Whether it helped shows later."""
    return attempt.judged is None or attempt.judged.helped

"""Makes the result document of a run, which `--json` prints, from its view."""

from __future__ import annotations

from typing import Any

from mmos.events import QuestionAsked, Reason, RunRated
from mmos.views.routes import route
from mmos.views.run import RunView

VERSION = 1

LIMITS = frozenset({"timeout", "stalled", "limit_turns", "limit_total_turns", "limit_calls", "limit_tokens", "loop", "repetition"})
"""The reasons for reaching a limit of the run."""

UNSERVED = frozenset(
    {"no_host", "host_unreachable", "host_timeout", "host_busy", "host_failed", "host_not_understood", "load_failed", "out_of_memory",
     "runner_crashed", "model_missing", "cloud_not_allowed", "unauthorized", "stream_cut"}
)  # fmt: skip
"""The reasons for finding no host that can serve."""


def exit_code(status: str, reason: str | None) -> int:
    """The exit code for a status: 0 answered, 3 waiting, 4 no host, 5 a limit, 130 cancelled, otherwise 1."""
    if reason in LIMITS or status == "partial":
        return 5
    if status == "failed":
        return 4 if reason in UNSERVED else 1
    return {"answered": 0, "waiting": 3, "cancelled": 130}.get(status, 1)


def document(view: RunView) -> dict[str, Any]:
    """The document, always with every key."""
    questions = [question_document(question) for question in view.open_questions] if view.status == "waiting" else []
    return {
        "version": VERSION,
        "run": view.run or None,
        "thread": view.thread or None,
        "status": view.status or "failed",
        "answer": view.answer,
        "reason": _reason(view.reason),
        "question": next(reversed(questions), None),
        "roles": [
            {
                "role": use.role, "model": use.model, "host": use.host, "calls": use.calls,
                "prompt_tokens": use.prompt_tokens, "output_tokens": use.output_tokens,
                "load_seconds": round(use.load_seconds, 3), "queue_seconds": round(use.queue_seconds, 3),
                "busy_seconds": round(use.busy_seconds, 3),
            }
            for use in view.roles.values()
        ],
        "tools": [{"name": use.name, "calls": use.calls, "failed": use.failed} for use in view.tools.values()],
        "usage": {
            "turns": view.turns, "model_calls": view.requests,
            "prompt_tokens": view.prompt_tokens, "output_tokens": view.output_tokens,
            "seconds": round(max(0.0, view.ended - view.started), 3), "load_seconds": round(view.load_seconds, 3), "swaps": view.swaps,
            "cached": view.cached, "reused_prompt_tokens": _reused(view),
        },
        "repairs": [{"call": repair.call, "stage": repair.stage, "what": repair.what} for repair in view.repairs],
        "warnings": list(view.warnings),
        "phases": view.phases,
        "rehearsed": view.rehearsed,
        "data": view.data,
        "rating": rating(view.rating),
        "origin": {"run": view.origin, "turn": view.origin_turn} if view.origin else None,
        "questions": questions,
        "recoveries": view.recoveries.documents(),
        "quality": view.validation.document(),
        "route": route(view.route, view.rules),
        "conversations": view.talks.documents(), "sources": view.passages.documents(view.answer),
        "answered_by": None if view.answer is None else view.answered_by,
        "divided": view.divisions.documents(), "patterns": _patterns(view),
    }  # fmt: skip


def _patterns(view: RunView) -> list[dict[str, Any]]:
    """The patterns, each with what its members read of the library."""
    return [{**one, "rag": view.passages.of_pattern(one["id"])} for one in view.patterns.documents()]


def failure(code: str, message: str, next_step: str = "") -> dict[str, Any]:
    """The document for wrong usage or a wrong configuration, when no run has started."""
    view = RunView(status="cancelled" if code == "cancelled" else "failed", reason=Reason(code, message, next_step))
    return document(view)


def rating(event: RunRated | None) -> dict[str, Any] | None:
    return None if event is None else {"good": event.good, "note": event.note}


def _reused(view: RunView) -> int | None:
    """The tokens of prompts that hosts did not read again, because they had them in their cache. None: no host says."""
    told = [use.reused_tokens for use in view.roles.values() if use.reused_tokens is not None]
    return sum(told) if told else None


def _reason(reason: Reason | None) -> dict[str, str] | None:
    return None if reason is None else {"code": reason.code, "message": reason.message, "next": reason.next}


def question_document(question: QuestionAsked) -> dict[str, Any]:
    return {
        "id": question.question, "kind": question.form, "text": question.text, "options": list(question.options),
        "default": question.default, "deadline": question.deadline, "from": question.role,
    }  # fmt: skip

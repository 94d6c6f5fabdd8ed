"""Builds the view of one run from its entries: status, costs, roles, tools, questions, artifacts, loops."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from mmos import events, library_events
from mmos.answers import NO, verdict
from mmos.choice_events import RuleMet, RulesChanged, TaskRouted
from mmos.events import Entry, Event, Reason
from mmos.messages import REPETITION, File
from mmos.recovery_events import RecoveryBegun, RecoveryJudged, RecoverySuggested
from mmos.views import chunks
from mmos.views.open_questions import newest_approvals, open_ones
from mmos.views.passages import GivenPassages
from mmos.views.patterns import KINDS as OF_PATTERNS
from mmos.views.patterns import PatternRuns
from mmos.views.quality import JUDGING, Validation
from mmos.views.recoveries import Recoveries
from mmos.views.rules import RulesMet
from mmos.views.talks import KINDS as TALKING
from mmos.views.talks import Talks
from mmos.views.uses import RoleUse, ToolUse, call_key
from mmos.views.window import OF_WINDOWS, window_note

REFERENCE = re.compile(r"artifact:([a-z0-9]+-\d+)")
"""How a text refers to an artifact."""

AT_REST = frozenset(
    {"question_open", "question_unanswered", "loop", "limit_turns", "limit_total_turns", "limit_calls", "limit_tokens", "repetition"}
)
"""Reasons for which a run stops only between calls. A call without a result was then paused, not cut off."""

_SIGNS_A_TOKEN = 4


CHANGED = "The prompts or tools of this run have changed since it began."
"""So begins a warning to a run that goes on as today. When it goes on as it was, the warning holds no more."""


@dataclass
class RunView:
    """The view of one run."""

    run: str = ""
    thread: str = ""
    task: str = ""
    files: tuple[File, ...] = ()
    """The files that the user attached."""
    status: events.Status | None = None
    answer: str | None = None
    reason: Reason | None = None
    at_rest: bool = False
    """Whether it has stopped between calls."""
    started: float = 0.0
    ended: float = 0.0
    """The time of its newest entry. A rating comes later and makes no run longer."""
    process: str = ""
    rehearsed: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    as_it_was: bool = False
    """Whether it was last resumed with the words that it had used."""
    config: str = ""
    config_path: str = ""
    origin: str = ""
    """The run that it was forked from."""
    origin_turn: int = 0
    """The turn of that run that it took again."""
    lane: str = ""
    """The run's own lane: its role answers the user."""
    lanes: defaultdict[str, list[events.LaneOpened]] = field(default_factory=lambda: defaultdict(list))
    """The lanes that each call opened."""
    inquiries: int = 0
    """The number of lanes that no call opened."""
    turns: int = 0
    requests: int = 0
    """Requests to models."""
    prompt_tokens: int = 0
    output_tokens: int = 0
    estimated_tokens: int = 0
    """Tokens, by our estimate, of replies whose hosts counted none: a limit holds for them, too."""
    frames: set[str] = field(default_factory=set)
    """The digests of the frames that it has kept."""
    estimates: dict[str, int] = field(default_factory=dict)
    """Of the prompts that no reply has come to yet."""
    load_seconds: float = 0.0
    loads: int = 0
    cached: int = 0
    """Answers that the cache had kept."""
    swaps: int = 0
    """Loads for which the host had to unload a model."""
    roles: dict[tuple[str, str, str], RoleUse] = field(default_factory=dict)
    tools: dict[str, ToolUse] = field(default_factory=dict)
    started_calls: dict[str, events.CallStarted] = field(default_factory=dict)
    finished_calls: dict[str, events.CallFinished] = field(default_factory=dict)
    steps: dict[tuple[str, str], events.StepFinished] = field(default_factory=dict)
    """By call and key."""
    call_ids: set[str] = field(default_factory=set)
    """The ids of all calls that models requested, started or not."""
    imported_calls: set[str] = field(default_factory=set)
    """Those of them that came with an import."""
    interruptions: Counter[str] = field(default_factory=Counter)
    """How often a crash or an immediate stop cut each call off before it had a result."""
    repeats: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """For each `call_key`, the lanes that made the call, once for each time."""
    withheld_tools: dict[str, set[str]] = field(default_factory=dict)
    """For each lane, the tools that are withheld in its next turn."""
    hidden_tools: dict[str, set[str]] = field(default_factory=dict)
    """For each lane, the tools that were withheld in the turn of its newest reply."""
    repetitions: Counter[str] = field(default_factory=Counter)
    """How often MMOS stopped a turn of each lane because it repeated itself."""
    partial_texts: dict[str, str] = field(default_factory=dict)
    """For each lane, the text so far of a reply that broke off."""
    cut_off: dict[str, str] = field(default_factory=dict)
    """For each lane, where its newest request was when it was cancelled."""
    artifacts: dict[str, events.ArtifactKept] = field(default_factory=dict)
    questions: dict[str, events.QuestionAsked] = field(default_factory=dict)
    answers: dict[str, events.QuestionAnswered] = field(default_factory=dict)
    repairs: list[events.CallRepaired] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unserved_roles: set[str] = field(default_factory=set)
    """Roles that no host can serve, each as ROLE=MODEL."""
    phase: str = ""
    """The phase that it is in. Empty: it has none."""
    phase_changes: list[events.PhaseChanged] = field(default_factory=list)
    asked_in: dict[str, str] = field(default_factory=dict)
    """For each lane, the phase in which its newest turn began. What this turn calls is a part of that phase."""
    cancel_request: events.CancelRequested | None = None
    """Who asked to cancel it since it was last resumed."""
    rating: events.RunRated | None = None
    """The newest rating."""
    recoveries: Recoveries = field(default_factory=Recoveries)
    validation: Validation = field(default_factory=Validation)
    talks: Talks = field(default_factory=Talks)
    divisions: chunks.Divisions = field(default_factory=chunks.Divisions)
    patterns: PatternRuns = field(default_factory=PatternRuns)
    passages: GivenPassages = field(default_factory=GivenPassages)
    route: TaskRouted | None = None
    """Who works on its task, and why."""
    rules: RulesMet = field(default_factory=RulesMet)
    """The rules about what has happened in it."""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> RunView:
        view = cls()
        for entry in entries:
            view.apply(entry)
        return view

    @property
    def phases(self) -> list[str]:
        """The phases that it has been in, in order."""
        return [change.phase for change in self.phase_changes]

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens + self.estimated_tokens

    @property
    def data(self) -> Any:
        """The JSON value of an answer for a schema; otherwise None."""
        if self.answer is None or self.status != "answered" or "schema" not in self.options:
            return None
        try:
            return orjson.loads(self.answer)
        except orjson.JSONDecodeError:  # in the journal of a stranger
            return None

    @property
    def calls(self) -> int:
        return len(self.started_calls)

    @property
    def speaker(self) -> str:
        """The lane that answers the user: the run's own one, or that of the role to which its task was handed over."""
        return self.lane if self.validation.revised is not None else self._handed_lane or self.lane

    @property
    def answered_by(self) -> str:
        """The role that answers the user."""
        handed = self.talks.in_charge
        return handed.to if handed is not None and self._handed_lane else self.lane

    @property
    def _handed_lane(self) -> str:
        """Where the role answers that has the task. Empty: the task was not handed over, or came back."""
        handed = self.talks.in_charge
        end = self.finished_calls.get(handed.call) if handed else None
        if handed is None or (end is not None and not end.ok):
            return ""
        return next((lane.lane for lane in reversed(self.lanes.get(handed.call, ())) if lane.role == handed.to), "")

    @property
    def open_questions(self) -> list[events.QuestionAsked]:
        """The questions whose answer the run still needs, oldest first."""
        return open_ones(self.questions, self.answers, self.finished_calls, self.lanes)

    @property
    def open_question(self) -> events.QuestionAsked | None:
        """The newest question whose answer the run still needs."""
        return next(reversed(self.open_questions), None)

    @property
    def newest_approvals(self) -> dict[str, events.QuestionAsked]:
        """For each call that needs approval, the newest question about it."""
        return newest_approvals(self.questions)

    def apply(self, entry: Entry) -> None:
        if entry.thread != self.thread:
            if self.thread:
                return  # a run has one thread; in the journal of a stranger its events may be in several
            self.thread = entry.thread
        self.run, event = entry.run, entry.event
        kind = type(event)
        if kind is not events.RunRated:
            self.ended = entry.time
        fold = _FOLDS.get(kind)
        if fold is not None:
            fold(self, event)


def _run_started(view: RunView, event: events.RunStarted) -> None:
    view.started = view.ended
    view.task, view.process, view.options, view.rehearsed = event.task, event.process, event.options, event.rehearsed
    view.config_path = event.config_path


def _config_kept(view: RunView, event: events.ConfigKept) -> None:
    view.config = event.text


def _run_resumed(view: RunView, event: events.RunResumed) -> None:
    if not view.at_rest:
        unapproved = {call for call, asked in view.newest_approvals.items() if not _is_approved(view, asked)}  # their tools have not begun
        idle = unapproved | view.recoveries.calls_at_rest
        view.interruptions.update(call for call in view.started_calls if call not in view.finished_calls and call not in idle)
    view.at_rest = False
    view.process, view.status, view.reason, view.answer = event.process, None, None, None
    view.cancel_request = None
    view.options, view.as_it_was = {**view.options, **event.options}, event.as_it_was
    if event.as_it_was:
        view.warnings = [warning for warning in view.warnings if not warning.startswith(CHANGED)]


def _is_approved(view: RunView, asked: events.QuestionAsked) -> bool:
    answer = view.answers.get(asked.question)
    return answer is not None and verdict(answer.text) not in (NO, "")


def _forked(view: RunView, event: events.Forked) -> None:
    if event.origin:
        view.origin, view.origin_turn, view.task = event.origin, event.turn, view.task or event.task
        view.started, view.options, view.rehearsed = view.ended, {**view.options, **event.options}, event.rehearsed
        view.process, view.status, view.reason, view.answer = event.process, None, None, None
        view.as_it_was = False  # kept words would hide what a fork changes


def _run_finished(view: RunView, event: events.RunFinished) -> None:
    code = event.reason.code if event.reason else ""
    view.at_rest = code in AT_REST or (code == "cancelled" and view.at_rest and view.status is not None)  # cancelled while it waited
    view.status, view.answer, view.reason = event.status, event.answer, event.reason


def _cancel_requested(view: RunView, event: events.CancelRequested) -> None:
    view.cancel_request = event


def _phase_changed(view: RunView, event: events.PhaseChanged) -> None:
    view.phase = event.phase
    view.phase_changes.append(event)


def _task_routed(view: RunView, event: TaskRouted) -> None:
    view.route, view.options = event, {**view.options, **event.options}


def _run_rated(view: RunView, event: events.RunRated) -> None:
    view.rating = event


def _lane_opened(view: RunView, event: events.LaneOpened) -> None:
    if not event.parent:
        view.lane, view.files = event.lane, event.message.files
    elif event.call:
        view.lanes[event.call].append(event)
    else:
        view.inquiries += 1


def _model_asked(view: RunView, event: events.ModelAsked) -> None:
    view.requests += 1
    view.cut_off.pop(event.lane, None)
    view.estimates[event.ask] = event.estimate
    view.turns += event.lane == view.lane
    view.asked_in[event.lane] = view.phase


def _model_replied(view: RunView, event: events.ModelReplied) -> None:
    usage = event.usage
    view.prompt_tokens += usage.prompt_tokens
    view.output_tokens += usage.output_tokens
    estimate = view.estimates.pop(event.ask, 0)
    if event.cached:
        view.cached += 1
    else:
        view.estimated_tokens += 0 if usage.prompt_tokens else estimate
        view.estimated_tokens += 0 if usage.output_tokens else len(event.message.content) // _SIGNS_A_TOKEN
    view.load_seconds += usage.load_seconds
    view.loads += usage.loaded
    view.swaps += bool(event.placement.get("swap"))
    if event.done_reason == REPETITION:
        view.repetitions[event.lane] += 1
    view.partial_texts.pop(event.lane, None)
    view.hidden_tools[event.lane] = view.withheld_tools.pop(event.lane, set())
    if event.message.calls:
        view.call_ids.update(call.id for call in event.message.calls)
    if event.imported:
        view.imported_calls.update(call.id for call in event.message.calls)
    key = (event.role, event.model, event.host)
    if key not in view.roles:
        view.roles[key] = RoleUse(*key)
    view.roles[key].add(usage)


def _model_failed(view: RunView, event: events.ModelFailed) -> None:
    if event.partial:
        view.partial_texts[event.lane] = event.partial
    if event.code == "cancelled":
        view.cut_off[event.lane] = f"{event.role}: {event.detail}"


def _call_started(view: RunView, event: events.CallStarted) -> None:
    if event.call in view.started_calls:
        return  # resumed after a crash or a question: still the same call
    view.started_calls[event.call] = event
    view.tools.setdefault(event.tool, ToolUse(event.tool)).calls += 1
    view.repeats[call_key(event.role, event.tool, event.arguments)].append(event.lane)


def _call_finished(view: RunView, event: events.CallFinished) -> None:
    view.finished_calls[event.call] = event
    if not event.ok:
        view.tools.setdefault(event.tool, ToolUse(event.tool)).failed += 1


def _loop_noticed(view: RunView, event: events.LoopNoticed) -> None:
    if event.measure == "withhold":
        view.withheld_tools.setdefault(event.lane, set()).add(event.tool)


def _passages_left_out(view: RunView, event: library_events.PassagesLeftOut) -> None:
    view.passages.apply(event)
    view.warnings.append(window_note(event))


def _warned(view: RunView, event: events.Warned) -> None:
    view.warnings.append(event.text)
    view.unserved_roles.update(event.unserved)


_FOLDS: dict[type[Event], Callable[[RunView, Any], None]] = {
    events.RunStarted: _run_started,
    events.ConfigKept: _config_kept,
    events.RunResumed: _run_resumed,
    events.Forked: _forked,
    events.RunFinished: _run_finished,
    events.CancelRequested: _cancel_requested,
    events.PhaseChanged: _phase_changed,
    events.RunRated: _run_rated,
    TaskRouted: _task_routed,
    events.LaneOpened: _lane_opened,
    events.FrameKept: lambda view, event: view.frames.add(event.frame),
    events.ModelAsked: _model_asked,
    events.ModelReplied: _model_replied,
    events.ModelFailed: _model_failed,
    events.CallStarted: _call_started,
    events.CallFinished: _call_finished,
    events.StepFinished: lambda view, event: view.steps.update({(event.call, event.key): event}),
    events.LoopNoticed: _loop_noticed,
    events.ArtifactKept: lambda view, event: view.artifacts.update({event.artifact: event}),
    events.QuestionAsked: lambda view, event: view.questions.update({event.question: event}),
    events.QuestionAnswered: lambda view, event: view.answers.update({event.question: event}),
    events.CallRepaired: lambda view, event: view.repairs.append(event),
    events.Warned: _warned,
    **dict.fromkeys((RecoveryBegun, RecoverySuggested, RecoveryJudged), lambda view, event: view.recoveries.apply(event)),
    **dict.fromkeys((RuleMet, RulesChanged), lambda view, event: view.rules.apply(event)),
    **dict.fromkeys(TALKING, lambda view, event: view.talks.apply(event)),
    **dict.fromkeys(chunks.KINDS, lambda view, event: view.divisions.apply(event)),
    **dict.fromkeys(OF_PATTERNS, lambda view, event: view.patterns.apply(event)),
    library_events.PassagesFound: lambda view, event: view.passages.apply(event),
    **dict.fromkeys(JUDGING, lambda view, event: view.validation.apply(event)),
    **dict.fromkeys(OF_WINDOWS, lambda view, event: view.warnings.append(window_note(event))),
    library_events.PassagesLeftOut: _passages_left_out,
}

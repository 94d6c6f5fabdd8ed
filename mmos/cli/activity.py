"""Tracks who is at work in a run, from its hints and events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mmos import events
from mmos.cli import parts, sources
from mmos.cli.pattern_words import begins, seen
from mmos.cli.talks import SAYING, watched
from mmos.cli.text import flat
from mmos.cli.trace import note, what_came, what_of
from mmos.cli.verdicts import working
from mmos.cli.work import Work, line
from mmos.library_events import PassagesFound
from mmos.pattern_events import MemberEnded, MemberVoted, PatternBegun, PatternEnded
from mmos.quality_events import AnswerJudged
from mmos.scope import Hint
from mmos.views.patterns import PATTERN
from mmos.views.quality import is_judgement
from mmos.views.talks import TOOL
from mmos.views.window import OF_WINDOWS

OWN_LINE = frozenset({"escalate_to_user"})
"""Calls without a live line: the question itself is on the screen."""


class Activity:
    """The work of one run. Hints come before events in most cases, but either may be the first to name a participant."""

    def __init__(self, number: Callable[[Work], int] = lambda _: 0, unserved: set[str] | None = None) -> None:
        self.arbiter = Work("arbiter")
        self.works: list[Work] = []
        """Calls of the arbiter that are not yet in the scrollback."""
        self.notes: list[str] = []
        """Notes to show once, in the order of what happened."""
        self._number = number
        self._calls: dict[str, Work] = {}
        self._questions: dict[str, dict[str, Work]] = {}
        """For each call, the work for each of its questions, by key."""
        self._lanes: dict[str, Work] = {}
        self._patterns: dict[str, Work] = {}
        """By id: those that stand for a model."""
        self._members: dict[tuple[str, str], Work] = {}
        """By the id of the pattern and the key."""
        self._top = ""
        """The id of the pattern that answers the user."""
        self._places: tuple[str, ...] = ()
        """What the lanes of members begin with."""
        self._warnings: set[str] = set()
        self._failures: set[tuple[str, str]] = set()
        """Failures that were shown already: each is shown once per turn."""
        self._repeated: events.Event | None = None
        self._unserved = set() if unserved is None else unserved
        """Roles that no host can serve and that the user was warned of. Each is shown once per session."""
        self._own = ""

    @property
    def settled(self) -> bool:
        """Whether only the arbiter is at work and all events of its earlier turns have come."""
        return not self.works and self.arbiter.requests >= self.arbiter.turns

    @property
    def behind(self) -> bool:
        """Whether events of the arbiter's newest turn are still to come."""
        return bool(self._own) and self.arbiter.requests < self.arbiter.turns

    @property
    def tokens(self) -> int:
        """Tokens that models have written so far."""
        return sum(work.tokens + (work.pieces if work.answering else 0) for work in (self.arbiter, *self._lanes.values()))

    def answering(self) -> list[Work]:
        """Participants that a model answers for now, the newest turn first."""
        return [work for work in (*reversed(self._lanes.values()), self.arbiter) if work.answering]

    def tools(self) -> list[str]:
        """Tools at work, without consultations."""
        return list(dict.fromkeys(work.tool for work in self._calls.values() if work.ended is None and not work.role))

    # ---------------------------------------------------------------- hints

    def on_hint(self, hint: Hint, now: float) -> None:
        if not hint.depth and hint.lane != self._own and self._own:
            return  # of the role that has the task now; it comes with its own depth, too
        work = self.arbiter if not hint.depth else self._of(hint.lane, hint.role, now)
        match hint.kind:
            case "turn":
                work.turns += 1
                work.enter("queued", now)
                if hint.depth:
                    self._lanes[hint.lane] = self._lanes.pop(hint.lane)  # the newest last
            case "loading" | "reading":
                work.host = hint.text
                if is_judgement(hint.lane) and work.model:
                    self.arbiter.what = f"checking the answer with {work.model} on {work.host}"
                work.enter(hint.kind, now)
            case "waiting":
                work.outlook, work.host = hint.outlook, hint.text or work.host
            case "token":
                work.enter("writing", now)
                work.pieces += 1
            case "restart":
                work.retries += 1
                work.enter("queued", now)

    def _of(self, lane: str, role: str, now: float) -> Work:
        if lane not in self._lanes:
            self._lanes[lane] = Work(role, start=now, since=now)
        return self._lanes[lane]

    # ---------------------------------------------------------------- facts

    def on_event(self, event: events.Event, now: float) -> None:
        read = parts.working(event)
        self.arbiter.what = working(event) or (self.arbiter.what if read is None else read)
        match event:
            case events.LaneOpened():
                self._open_lane(event, now)
            case events.CallStarted():
                self._start_call(event, now)
            case events.CallFinished():
                self._finish_call(event, now)
            case events.ModelAsked():
                work = self._worker(event.lane, event.role, now)
                work.model, work.requests = event.model, work.requests + 1
            case events.ModelReplied():
                self._take_reply(event, now)
            case events.LaneClosed(lane=lane, status=status) if lane in self._lanes:
                work = self._lanes[lane]
                work.replied = work.turns
                if all(work is not call for call in self._calls.values()):
                    work.ended, work.ok = now, status == "answered"
            case AnswerJudged():
                self.arbiter.what = ""
            case PatternBegun():
                self._begin_pattern(event, now)
            case MemberEnded(lane=lane) if lane in self._lanes:
                work = self._members[event.pattern, event.key] = self._lanes[lane]
                work.ended, work.ok, work.report = now, event.status in ("answered", "abstained"), event.why or event.status
            case MemberVoted(vote=vote) if vote and (event.pattern, event.key) in self._members:
                self._members[event.pattern, event.key].vote = vote
            case PatternEnded(status=status) if event.pattern in self._patterns:
                work = self._patterns[event.pattern]
                work.ended, work.ok, work.report = now, status != "failed", event.why
            case events.PhaseChanged(phase=phase):
                self.arbiter.what = f"phase: {phase}"
            case PassagesFound() if told := sources.seen(event):
                self.notes.append(told)
            case events.RunResumed():
                for work in (self.arbiter, *self._lanes.values()):
                    work.requests = work.replied = 0  # earlier turns had no hints in this process
            case _:
                self._note(event)

    def _worker(self, lane: str, role: str, now: float) -> Work:
        return self.arbiter if lane == self._own else self._of(lane, role, now)

    def _open_lane(self, event: events.LaneOpened, now: float) -> None:
        if not event.parent:
            self._own, self.arbiter.role = event.lane, event.role
            self.arbiter.start = self.arbiter.start or now
            return
        call = self._calls.get(f"{event.parent}/{PATTERN}" if event.call == PATTERN else event.call)
        if call is None:
            return
        known, work = self._lanes.get(event.lane), self._work_of_question(call, event, now)
        if known is not None and known is not work:  # hints came first: keep what they said
            work.model, work.host, work.stage, work.since, work.pieces = known.model, known.host, known.stage, known.since, known.pieces
            work.turns, work.outlook = known.turns, known.outlook
        work.role = event.role
        self._lanes[event.lane] = work

    def _work_of_question(self, call: Work, event: events.LaneOpened, now: float) -> Work:
        """The work for a question of a call: the call itself, or one of several below a call that asks several."""
        if event.call == PATTERN:
            call.below.append(Work(event.role, start=now, since=now))
            return call.below[-1]
        works, key = self._questions.setdefault(event.call, {}), event.key.partition("~")[0]
        if call.tool == TOOL:
            key = event.role  # somebody in a talk is asked again and again
        if not works:
            works[key] = call
        if key in works:
            works[key].ended = None if call.tool == TOOL else works[key].ended
            return works[key]
        if any(work is call for work in works.values()):
            first = replace(call, tool="", what="", ended=None if call.answering else now)
            call.role, call.below = "", [first]
            works |= {each: first for each, work in works.items() if work is call}
            self._lanes |= {lane: first for lane, work in self._lanes.items() if work is call}
        works[key] = Work(event.role, start=now, since=now)
        call.below.append(works[key])
        return works[key]

    def _start_call(self, event: events.CallStarted, now: float) -> None:
        if event.call in self._calls or event.tool in OWN_LINE or (event.tool in SAYING and event.lane != self._own):
            return
        work = self._calls[event.call] = Work(tool=event.tool, what=what_of(event.arguments), start=now, since=now)
        self._add(work, event.lane)

    def _add(self, work: Work, lane: str) -> None:
        above = self._lanes.get(lane) if lane != self._own else None
        (self.works if above is None else above.below).append(work)

    def _begin_pattern(self, event: PatternBegun, now: float) -> None:
        """A pattern that stands for a model has a line of its own. One that a tool runs is shown by its call."""
        self._places += (f"{event.lane}/{event.call}/",)
        if event.call != PATTERN or event.pattern in self._patterns:
            return
        work = self._patterns[event.pattern] = Work(tool=event.name or event.shape, what=begins(event), start=now, since=now)
        self._calls[f"{event.lane}/{PATTERN}"] = work
        self._add(work, event.lane)

    def of_patterns(self, event: events.Event) -> str:
        """The line about an event of a pattern that answers the user. Empty: it is of something else."""
        if isinstance(event, PatternBegun) and event.call == PATTERN and event.lane == self._own:
            self._top = event.pattern
        return seen(event) if self._top and getattr(event, "pattern", "") == self._top else ""

    def members(self, now: float, width: int) -> list[str]:
        """Draw one live line for each member at work in the pattern that answers the user."""
        works = [inner for work in self._patterns.values() if work in self.works and work.ended is None for inner in work.below]
        return [line(inner, now, width, depth) for work in works if work.ended is None for depth, inner in work.tree()]

    def is_member(self, lane: str) -> bool:
        """Whether a lane is below a pattern, whose own events tell of it."""
        return lane.startswith(self._places) if self._places else False

    def _finish_call(self, event: events.CallFinished, now: float) -> None:
        work = self._calls.get(event.call)
        if work is None:
            return
        work.ended, work.ok = now, event.ok
        result = what_came(event.message.content)
        work.report = "" if event.ok or f"{work.role}={work.model}" in self._unserved else result
        work.text = work.text or result

    def _take_reply(self, event: events.ModelReplied, now: float) -> None:
        work = self._worker(event.lane, event.role, now)
        work.model, work.host, work.replied = event.model, event.host, work.requests
        work.tokens += event.usage.output_tokens
        work.writing_seconds += event.usage.output_seconds
        work.text = event.message.content or work.text
        if event.message.calls:
            work.enter("calling", now)

    def _note(self, event: events.Event) -> None:
        if said := watched(event):
            self.notes.append(flat(said))
            return
        text, known = note(event), False
        match event:
            case events.ModelFailed(host=host, detail=detail, role=role, model=model):
                self._repeated = event if (host, detail) in self._failures else None
                known = self._repeated is event or f"{role}={model}" in self._unserved
                self._failures.add((host, detail))
            case events.Warned(unserved=roles):
                known = bool(roles) and self._unserved.issuperset(roles)
                self._unserved.update(roles)
                self._warnings.add(text)
            case _ if isinstance(event, OF_WINDOWS):
                self._warnings.add(text)
        if text and not known:
            self.notes.append(f"! {flat(text)}")

    def repeats(self, event: events.Event) -> bool:
        """Whether this event, the newest, is a failure that was shown before."""
        return event is self._repeated

    def knows(self, warning: str) -> bool:
        """Whether an event has already shown this warning."""
        return warning in self._warnings

    # ---------------------------------------------------------------- what is shown

    def collapsed(self, width: int) -> list[str]:
        """Take finished work, with everything below it, as lines for the scrollback. Stop at the first work that still runs."""
        lines: list[str] = []
        while self.works and self.works[0].ended is not None:
            work = self.works.pop(0)
            for _, inner in work.tree():
                inner.number = self._number(inner)
            lines += [line(inner, inner.ended or work.ended or 0.0, width, depth) for depth, inner in work.tree()]
        return lines

    def lines(self, now: float, width: int) -> list[str]:
        """Draw one live line for each participant at work. Indentation shows who consults whom."""
        return [line(inner, now, width, depth) for work in self.works for depth, inner in work.tree()]

    def status(self, now: float, width: int) -> str:
        """Draw the arbiter's own line."""
        return line(self.arbiter, now, width, -1)

    def abandon(self, now: float) -> None:
        """Mark all unfinished work as stopped, because the run has ended."""
        self.arbiter.requests = self.arbiter.turns
        for work in self.works:
            for _, inner in work.tree():
                if inner.ended is None:
                    inner.ended, inner.ok, inner.report = now, False, "stopped"

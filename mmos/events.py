"""Defines the events in a journal: frozen facts, named in the past tense. New ones may be added; none is ever renamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmos import choice_events as choice_events
from mmos import chunk_events as chunk_events
from mmos import library_events as library_events
from mmos import pattern_events as pattern_events
from mmos import quality_events as quality_events
from mmos import recovery_events as recovery_events
from mmos import talk_events as talk_events
from mmos import window_events as window_events
from mmos.event import Event as Event
from mmos.event import Reason as Reason
from mmos.event import Status as Status
from mmos.messages import Message, Usage
from mmos.question_events import Form as Form
from mmos.question_events import QuestionAnswered as QuestionAnswered
from mmos.question_events import QuestionAsked as QuestionAsked
from mmos.run_events import BatchStarted as BatchStarted
from mmos.run_events import BatchTask as BatchTask
from mmos.run_events import BatchWritten as BatchWritten
from mmos.run_events import CancelRequested as CancelRequested
from mmos.run_events import Forked as Forked
from mmos.run_events import PhaseChanged as PhaseChanged
from mmos.run_events import PhaseChanger as PhaseChanger
from mmos.run_events import RunRated as RunRated

# ---------------------------------------------------------------- the run


@dataclass(frozen=True)
class RunStarted(Event):
    kind = "run_started"
    task: str
    process: str
    """The process that writes this run. Its lock file shows whether the process still runs."""
    config_path: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Limits and choices for this run only."""
    rehearsed: bool = False
    files: tuple[str, ...] = ()
    """The names of attached files. The files themselves are in the message that opens the run's lane."""


@dataclass(frozen=True)
class ConfigKept(Event):
    """The configuration of a run. References to the environment are not replaced in it."""

    kind = "config_kept"
    text: str


@dataclass(frozen=True)
class RunResumed(Event):
    kind = "run_resumed"
    process: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Limits and choices that change. They hold from here on, also when the run is resumed again."""
    as_it_was: bool = False
    """Whether requests have the words and schemas of earlier ones, from here until the run is resumed again."""


@dataclass(frozen=True)
class RunFinished(Event):
    kind = "run_finished"
    status: Status
    answer: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True)
class RunWithdrawn(Event):
    """The user withdrew a task to ask it again. This run no longer counts in the thread's history."""

    kind = "run_withdrawn"


@dataclass(frozen=True)
class ThreadNamed(Event):
    kind = "thread_named"
    name: str


@dataclass(frozen=True)
class Warned(Event):
    kind = "warned"
    text: str
    unserved: tuple[str, ...] = ()
    """The roles that no host can serve, each as ROLE=MODEL; empty for other warnings."""


# ---------------------------------------------------------------- participants and their models


@dataclass(frozen=True)
class LaneOpened(Event):
    """A participant received a message to answer. Its lane is the place of this exchange."""

    kind = "lane_opened"
    lane: str
    """Its address in the run: the role that answers the user, or `PARENT/CALL/KEY`."""
    role: str
    message: Message
    parent: str = ""
    """The lane that asked; empty for the run's own lane."""
    call: str = ""
    """The tool call that opened it; empty for the run's own lane."""
    depth: int = 0
    key: str = ""
    """Which question of that call it is."""
    memory: str = "thread"
    """What the participant remembers: `thread` (its earlier exchanges in this thread), `none`, `conversation:ID`, `lane:ADDRESS` (all of that lane), or `past:ADDRESS` (what that lane remembers)."""


@dataclass(frozen=True)
class Prompted(Event):
    """MMOS sent a participant a message within its exchange, to correct it."""

    kind = "prompted"
    lane: str
    role: str
    message: Message
    shape: bool = False
    """Whether it asks for the answer in the user's schema."""


@dataclass(frozen=True)
class LaneClosed(Event):
    kind = "lane_closed"
    lane: str
    role: str
    status: Status
    text: str = ""
    """The beginning of an answer that was cut off. A whole answer is in the reply."""
    mark: str = ""
    """What the participant reads after it in later turns."""


@dataclass(frozen=True)
class FrameKept(Event):
    """What stays the same in the requests of a participant. A run keeps each frame once, before the first request with it."""

    kind = "frame_kept"
    frame: str
    """Its digest."""
    system: str
    channel: str = "tools"
    tools: str = ""
    """JSON, byte for byte."""
    format: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    think: bool | str | None = None
    keep_alive: str | float | None = None
    wording: Mapping[str, str] = field(default_factory=dict)
    """The texts around attached files."""
    own: str = ""
    """The text of the role itself, if the system text has more."""
    specs: str = ""
    """All tools of the role as JSON, if `tools` does not have them."""


@dataclass(frozen=True)
class ModelAsked(Event):
    """A request to a model. With its frame and the events before it, `mmos.prompting.request` makes the same bytes again."""

    kind = "model_asked"
    ask: str
    lane: str
    role: str
    model: str
    window: int = 0
    estimate: int = 0
    """The estimated tokens of the prompt."""
    frame: str = ""
    """The digest of its frame."""
    channel: str = "tools"
    skipped: int = 0
    """How many of the oldest exchanges were left out."""
    shows: str = ""
    """The lane whose messages it has. Empty: its own."""
    tail: str = ""
    """What MMOS added before the last message of the user, for this request only."""
    words: str = ""
    """What MMOS added as the last words of the user, for this request only."""
    sees: bool = True
    """Whether it has the attached images."""
    viewers: str = ""
    """If not: the roles that it names for them."""


@dataclass(frozen=True)
class ModelReplied(Event):
    kind = "model_replied"
    ask: str
    lane: str
    role: str
    model: str
    host: str
    message: Message
    usage: Usage = Usage()
    done_reason: str = "stop"
    seconds: float = 0.0
    """Wall time that MMOS measured, including waiting."""
    placement: Mapping[str, Any] = field(default_factory=dict)
    """Why the fleet chose this host, in seconds."""
    raw: Message | None = None
    """What the host sent, if MMOS read another message in it."""
    imported: bool = False
    """Whether it came with an import. No model of this state folder has asked for its calls."""

    @property
    def window(self) -> int:
        """The window that went with the request, if not the one that was asked for: the model has a larger one in memory."""
        window = self.placement.get("window")
        return window if isinstance(window, int) else 0

    @property
    def cached(self) -> bool:
        """Whether it is an answer that the cache had kept. No host worked for it."""
        return "cached" in self.placement


@dataclass(frozen=True)
class ModelFailed(Event):
    """One attempt failed. The next events show whether another followed."""

    kind = "model_failed"
    ask: str
    lane: str
    role: str
    model: str
    host: str
    code: str
    detail: str
    partial: str = ""


@dataclass(frozen=True)
class HistoryShortened(Event):
    """Older exchanges of a thread no longer fit into the window and were left out of the prompt."""

    kind = "history_shortened"
    lane: str
    role: str
    dropped: int
    kept: int


@dataclass(frozen=True)
class ModelLearned(Event):
    """Something that a run has shown about a model. Later runs use it, also after a restart."""

    kind = "model_learned"
    model: str
    servers: tuple[str, ...] = ()
    """The servers where it may run."""
    factor: float = 0.0
    """If not 0: its tokens for each token of MMOS's usual estimate."""
    window: int = 0
    """If not 0: its real window, when `asked_window` was asked for."""
    asked_window: int = 0
    channel: str = ""
    """If not empty: the channel that works, as long as the model has this `digest`."""
    digest: str = ""
    refused: str = ""
    """If not empty: the digest of a format that its host refused."""
    rates: Mapping[str, Any] = field(default_factory=dict)
    """If not empty: its tokens for one letter, one digit, and so on, as in `mmos.prompting.budget`. They count in place of the factor."""


@dataclass(frozen=True)
class CallStarted(Event):
    kind = "call_started"
    call: str
    lane: str
    role: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class CallFinished(Event):
    kind = "call_finished"
    call: str
    lane: str
    role: str
    tool: str
    ok: bool
    message: Message
    """What the calling model reads."""
    seconds: float = 0.0
    code: str = ""
    """The error's code, if it failed."""


@dataclass(frozen=True)
class StepFinished(Event):
    """A tool did a step that must not be done twice."""

    kind = "step_finished"
    call: str
    lane: str
    key: str
    value: Any = None


@dataclass(frozen=True)
class CallRepaired(Event):
    kind = "call_repaired"
    call: str
    lane: str
    stage: Literal["extract", "repair", "interpreter", "arbiter", "recovery"]
    what: str
    tool: str = ""
    """If the call became another one: its tool."""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LoopNoticed(Event):
    kind = "loop_noticed"
    lane: str
    role: str
    tool: str
    times: int
    measure: Literal["nudge", "withhold", "ask"]


@dataclass(frozen=True)
class ArtifactKept(Event):
    """A text that is too long to pass to a model whole. Models get the reference `artifact:ID`, and the user gets the text unchanged."""

    kind = "artifact_kept"
    artifact: str
    lane: str
    role: str
    """The role that answered; empty for the result of a tool, which reaches the user only if the answer refers to it."""
    text: str


@dataclass(frozen=True)
class Unknown(Event):
    """An event of a newer MMOS. This version keeps it unchanged and does not understand it."""

    kind = "unknown"
    name: str
    data: Mapping[str, Any]


@dataclass(frozen=True, init=False)
class Entry:
    """An event with its run, its thread, its time and, after the commit, its number."""

    run: str
    thread: str
    time: float
    event: Event
    seq: int = 0

    def __init__(self, run: str, thread: str, time: float, event: Event, seq: int = 0) -> None:
        # Written out, because there is one for each event, and to set the fields of a frozen class one by one takes three times as long.
        self.__dict__.update(run=run, thread=thread, time=time, event=event, seq=seq)

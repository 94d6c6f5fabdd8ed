"""Records one request to a model: what goes out, each attempt that fails, and the reply."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mmos.calls.channels import Channel
from mmos.calls.reading import Reading, rescued, says_the_same, writable
from mmos.errors import HostError, HostTimeout, Repetition
from mmos.events import ModelAsked, ModelFailed, ModelReplied
from mmos.fleet.asking import Observer
from mmos.hosts.face import OnToken
from mmos.messages import REPETITION, Message, Reply, Usage
from mmos.participant.foresight import Turns
from mmos.prompting.compose import Plan
from mmos.prompting.frame import Frame
from mmos.scope import Scope


def next_id(scope: Scope) -> str:
    """The id of the next request."""
    return f"a{scope.view.requests + 1}"


@dataclass
class Recorder(Observer):
    """Records one request while it is under way."""

    scope: Scope
    event: ModelAsked
    """The request, as the journal keeps it."""
    frame: Frame

    def record_request(self) -> None:
        # Other lanes may have asked since it was made. Nobody has seen it yet, so it is changed: a copy of so many fields takes longer.
        object.__setattr__(self.event, "ask", next_id(self.scope))
        if self.event.frame not in self.scope.view.frames:
            self.scope.record(self.frame.event)
        self.scope.record(self.event)
        self.scope.hint("turn")
        self._start = self.scope.clock()

    def failed(self, host: str, error: HostError) -> None:
        self.record_failure(host, error.code, error.message)
        if isinstance(error, HostTimeout) and error.stage == "load":
            self.scope.warn_once(f"{host} loads no more", error.next_step)

    def waking(self, host: str, seconds: float) -> None:
        if seconds:
            self.scope.warn_once(
                f"{host} does not answer, so MMOS wakes it",
                f"{self.event.model} waits up to {seconds:.0f} s for it if no other host can serve it.",
            )

    def record_failure(self, host: str, code: str, detail: str) -> None:
        """Record that an attempt gave no reply."""
        event = self.event
        self.scope.record(ModelFailed(event.ask, event.lane, event.role, event.model, host, code, detail, self.take_text()))

    def doubt(self, host: str, error: HostError) -> None:
        """Record that a reply does not count, because its host did not read the whole prompt."""
        self.scope.hint("restart", error.message)
        self.record_failure(host, error.code, error.message)
        self.scope.warn(f"{self.event.role}: {error.message} MMOS asked again with a shorter prompt.")

    def take_text(self) -> str:
        """The text of this attempt so far. The next attempt starts without it."""
        return ""

    def rescue(self, error: HostError) -> Reply | None:  # noqa: ARG002  # one that can use a failed reply looks at it
        """What MMOS can use of a failed reply."""
        return None

    def record_reply(self, reply: Reply, message: Message) -> None:
        """Record the message that MMOS read from the reply."""
        event, seconds = self.event, round(self.scope.clock() - self._start, 6)
        usage, why, raw = reply.usage, reply.placement, None if says_the_same(message, reply.message) else _writable(reply.message)
        self.scope.record(
            ModelReplied(event.ask, event.lane, event.role, event.model, reply.host, message, usage, reply.done_reason, seconds, why, raw)
        )


def _writable(message: Message) -> Message | None:
    """What the host sent, as the journal keeps it. None: JSON cannot contain it. Its thoughts are in the message that MMOS read."""
    written = writable(Reading(message))
    return None if written.unclear else replace(written.message, thinking="")


@dataclass
class LiveRecorder(Recorder):
    """Records a request of a conversation. It shows the text to the user while it comes, and keeps it until the reply is whole."""

    channel: Channel
    plan: Plan
    turns: Turns | None = None
    """What is expected after it."""

    def __post_init__(self) -> None:
        self._pieces: list[str] = []
        self._listen()

    def _listen(self) -> None:
        hint, keep = self.scope.hint, self._pieces.append
        if self.scope.listener is None:
            self.on_token = self._listening(keep)
            return
        self.on_wait = lambda outlook: hint("waiting", outlook.host, outlook)

        def show(text: str) -> None:
            keep(text)
            hint("token", text)

        self.on_token = self._listening(show)

    def _listening(self, tell: OnToken) -> OnToken:
        listen = self.channel.listen(tell)
        return listen if self.turns is None else self.turns.spotting(listen)

    def placed(self, host: str, cold: bool) -> None:
        self.scope.hint("loading" if cold else "reading", host)
        if self.turns is not None:
            self.turns.placed()

    def failed(self, host: str, error: HostError) -> None:
        if isinstance(error, Repetition):
            return  # what came before it is a reply
        super().failed(host, error)
        self._listen()  # the next attempt starts from the beginning
        self.scope.hint("restart", error.message)

    def takes(self, error: HostError) -> bool:
        reply = self._unparsed_reply(error)
        return reply is not None and bool(self.channel.read(reply).message.calls)

    def rescue(self, error: HostError) -> Reply | None:
        reply = self._start_of_reply(error) if isinstance(error, Repetition) else self._unparsed_reply(error)
        if reply is not None:
            self.take_text()
        return reply

    def _unparsed_reply(self, error: HostError) -> Reply | None:
        """A reply with calls that the host could not parse. MMOS may read it."""
        return rescued(error, self.event.model) if self.channel.tools else None

    def _start_of_reply(self, error: Repetition) -> Reply:
        """The text before the repetition."""
        self.scope.hint("restart", error.message)
        self.scope.warn(f"{self.event.role}: {error.message}")
        content: list[str] = []
        self.channel.listen(content.append)(error.partial)
        message = Message("assistant", "".join(content))
        return Reply(message, self.event.model, error.host, Usage(output_tokens=error.tokens), REPETITION)

    def take_text(self) -> str:
        text = "".join(self._pieces)
        self._pieces.clear()
        return text

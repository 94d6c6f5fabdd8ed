"""Defines all errors, as a tree that shows who can act.

* MmosError                     every error of MMOS; says what, where and the next step
  + UserError                   the user acts
    - UsageError                the call itself is wrong
      · WrongAnswer  LateAnswer
    - ConfigError               orchestration.yaml is wrong; has every problem, not only the first
    - StateError                the journal cannot be opened or written
      · StateDamaged  StateTooNew  StateTooOld  StateReadOnly  StateFull  StateBusy
    - NotFound                  no such run, thread, role or model
  + ToolError                   the model acts: it reads the text as the call's result
    - UnknownTool  InvalidArguments  ToolDenied  ToolFailed  ToolTimeout  ToolUnknownOutcome
  + HostError                   the fleet acts: retry, another host, or give up
    - HostUnreachable           nothing listens there, or the name does not resolve
    - HostTimeout               it listens and does not answer (stage: connect, load, first_byte, between_chunks, total)
    - HostBusy                  its queue is full
    - StreamCut                 the reply broke off: EOF, an error line, no `done`
    - HostFault                 it responded with an error
      · LoadFailed  OutOfMemory  RunnerCrashed  ProtocolFault  MalformedCall
    - HostRefusal               it will not serve this request, now or later
      · ModelMissing  LacksTools  LacksThinking  LacksChat  LacksEmbedding  WindowExceeded  BadRequest  Unauthorized
    - Repetition                its model wrote the same text over and over and was stopped
    - NoHost                    no host can serve the call; has the reason of each host
    - NoGpu                     no GPU of this machine can be had
  + NoAnswer                    a model gave no reply that MMOS could read, again and again
  + SchemaUnmet                 a model gave no answer that fits the user's schema
  + LimitReached                a limit of the run is reached
  + QuestionOpen                a model waits for the user
  + QuestionUnanswered          a model asked the user, and the user could not be asked
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class MmosError(Exception):
    """An error with a code from a closed list, a message for people, and the next step."""

    code: str = "internal"
    next_step: str = ""
    by_user: bool = False
    """Whether the user ended it. Then MMOS tries nothing more."""

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        if next_step:
            self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip() if self.next_step else self.message


# ---------------------------------------------------------------- the user acts


class UserError(MmosError):
    code = "usage"


class UsageError(UserError):
    code = "usage"


class WrongAnswer(UsageError):
    """An answer that does not fit its question. The question stays open."""


class LateAnswer(UsageError):
    """An answer that came after the deadline of its question. MMOS has taken the default."""


@dataclass(frozen=True)
class Problem:
    """One problem in a configuration, with its place and how to fix it."""

    where: str
    """FILE:LINE, or FILE, or empty for a mapping."""
    key: str
    """Dotted path of the key."""
    message: str
    """What was found, what is allowed, the nearest valid spelling."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.message) if part)


class ConfigError(UserError):
    code = "config_invalid"
    next_step = "Fix it, then run `mmos config check`."

    def __init__(self, problems: Sequence[Problem], *, next_step: str = "") -> None:
        super().__init__("\n".join(str(problem) for problem in problems), next_step=next_step)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return self.message


class StateError(UserError):
    code = "state_unusable"


class StateDamaged(StateError):
    code = "state_damaged"


class StateTooNew(StateError):
    code = "state_too_new"


class StateTooOld(StateError):
    code = "state_too_old"


class StateReadOnly(StateError):
    code = "state_read_only"


class StateFull(StateError):
    code = "state_full"


class StateBusy(StateError):
    code = "state_busy"


class NotFound(UserError):
    code = "not_found"


# ---------------------------------------------------------------- the model acts


class ToolError(MmosError):
    """Raised by a tool, or about a tool. The calling model reads its text."""

    code = "tool_failed"

    def __init__(self, message: str, *, report: str = "", code: str = "", next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.report = report
        """The whole text for the model, if the tool has its own format for failures."""
        if code:
            self.code = code  # the code of the underlying error


class UnknownTool(ToolError):
    code = "tool_unknown"


class InvalidArguments(ToolError):
    code = "tool_arguments"


class ToolDenied(ToolError):
    code = "tool_denied"


class ToolFailed(ToolError):
    code = "tool_failed"


class ToolTimeout(ToolError):
    code = "tool_timeout"


class ToolUnknownOutcome(ToolError):
    """A crash cut the call off, and MMOS cannot know whether it took effect."""

    code = "tool_outcome_unknown"


# ---------------------------------------------------------------- the fleet acts


class HostError(MmosError):
    """A call to a host failed; `retry` and `elsewhere` say what may help."""

    code = "host_failed"
    retry: ClassVar[bool] = False
    """Whether the same host may serve the same request a moment later."""
    elsewhere: ClassVar[bool] = True
    """Whether another host may serve the same request."""

    def __init__(
        self, message: str, *, host: str = "", model: str = "", status: int | None = None, partial: str = "", next_step: str = ""
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.host = host
        self.model = model
        self.status = status
        self.partial = partial
        """The text that arrived before the error; never an answer."""


class HostUnreachable(HostError):
    code = "host_unreachable"


class HostTimeout(HostError):
    code = "host_timeout"

    def __init__(self, message: str, *, stage: str = "total", **details: Any) -> None:
        super().__init__(message, **details)
        self.stage = stage


class HostBusy(HostError):
    code = "host_busy"
    retry = True

    def __init__(self, message: str, *, retry_after: float | None = None, full: bool = False, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after
        self.full = full
        """Whether it says in words of its own that it has no room for the call. If not, a proxy may have nothing behind it."""


class StreamCut(HostError):
    code = "stream_cut"
    retry = True


class HostFault(HostError):
    code = "host_failed"
    retry = True


class LoadFailed(HostFault):
    code = "load_failed"
    retry = False


class OutOfMemory(HostFault):
    code = "out_of_memory"
    retry = False


class RunnerCrashed(HostFault):
    code = "runner_crashed"


class ProtocolFault(HostFault):
    """The host's response does not follow the protocol: broken bytes, a page of a proxy, another kind of body."""

    code = "host_not_understood"
    retry = False


class MalformedCall(HostFault):
    """A parser on the host rejected the tool call that its own model wrote."""

    code = "call_malformed"

    def __init__(self, message: str, *, raw: str = "", **details: Any) -> None:
        super().__init__(message, **details)
        self.raw = raw


class HostRefusal(HostError):
    code = "request_refused"
    elsewhere = False


class CloudRefused(HostRefusal):
    """MMOS itself refuses: the host would send the prompt to a cloud."""

    code = "cloud_not_allowed"
    elsewhere = True


class ModelMissing(HostRefusal):
    code = "model_missing"
    elsewhere = True


class LacksTools(HostRefusal):
    code = "model_lacks_tools"


class LacksThinking(HostRefusal):
    code = "model_lacks_thinking"


class LacksChat(HostRefusal):
    code = "model_lacks_chat"


class LacksEmbedding(HostRefusal):
    code = "model_lacks_embedding"


class WindowExceeded(HostRefusal):
    code = "window_exceeded"

    def __init__(self, message: str, *, prompt_tokens: int | None = None, window: int | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.prompt_tokens = prompt_tokens
        self.window = window


class BadRequest(HostRefusal):
    code = "request_refused"

    def __init__(self, message: str, *, parameter: str = "", verbatim: str = "", unexplained: bool = False, **details: Any) -> None:
        super().__init__(message, **details)
        self.unexplained = unexplained
        """MMOS does not know the reason that the host gives, so another host may accept the request."""
        self.parameter = parameter
        """The parameter that the host does not accept, if it says so."""
        self.verbatim = verbatim


class Unauthorized(HostRefusal):
    code = "unauthorized"
    elsewhere = True


class Repetition(HostError):
    """MMOS stopped the call because the model wrote the same text over and over. `partial` is the text before the repetition."""

    code = "repetition"
    elsewhere = False

    def __init__(self, message: str, *, tokens: int = 0, **details: Any) -> None:
        super().__init__(message, **details)
        self.tokens = tokens
        """Pieces that arrived, including thinking."""


class NoHost(HostError):
    """No host can serve the call; `said` has the last error of each host."""

    code = "no_host"
    elsewhere = False

    def __init__(self, message: str, *, said: Mapping[str, HostError] | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.said = dict(said or {})


class NoGpu(HostError):
    """This machine has no GPU, or others hold them all."""

    code = "no_gpu"


# ---------------------------------------------------------------- the run stops


class NoAnswer(MmosError):
    code = "no_answer"
    next_step = "Try another model for this role."


class SchemaUnmet(MmosError):
    code = "schema_unmet"
    next_step = "Try another model, or a simpler schema."


class LimitReached(MmosError):
    """A limit of the run is reached: turns, calls, tokens, seconds (`timeout`) or a loop."""

    code = "limit_reached"

    def __init__(self, message: str, *, limit: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.limit = limit


class QuestionOpen(MmosError):
    """A model asked the user and has no answer yet. The run waits under its id."""

    code = "question_open"

    def __init__(self, message: str, *, question: str) -> None:
        super().__init__(message)
        self.question = question


class QuestionUnanswered(MmosError):
    code = "question_unanswered"
    next_step = "Run it in a terminal, or with --on-question default or wait."

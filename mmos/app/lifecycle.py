"""Runs one task to its end: lets a role answer, and records the status and the reason."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from mmos import phases
from mmos.app.cancelling import cancelled
from mmos.app.stalling import IdleLimit
from mmos.app.system_texts import ARBITER, MODEL
from mmos.app.terms import valid
from mmos.app.unserved import RollCall
from mmos.calls.shape import Shape
from mmos.config.routing_schema import Answering
from mmos.config.schema import Strategy
from mmos.errors import HostError, LimitReached, MmosError, QuestionOpen, StateError, UsageError
from mmos.events import ArtifactKept, Reason, RunFinished, Status
from mmos.logs import logger
from mmos.messages import clean
from mmos.names import PATTERN
from mmos.participant.loop import Participants
from mmos.participant.questions import Answerer, OnQuestion
from mmos.scope import Hint, Limits, Scope
from mmos.views.run import REFERENCE
from mmos.views.so_far import text_so_far

_log = logger("mmos.run")

TURNS_A_CALL = 4
"""The most requests to models that a consultation usually needs."""


REPEATED = 100_000
"""The most characters of long answers that an answer may repeat, because a model may name one answer a thousand times."""

Urgency = Literal["interactive", "batch"]

SHOWN = 80
"""Characters of a value that the `repr` of options shows."""


@dataclass(frozen=True)
class RunOptions:
    """Options for one run. MMOS keeps them with the run, so a resumed run continues with the same options.

    A wrong value raises `UsageError` at once. The error says what is allowed. None takes the value of the configuration.

    Example::

        options = mmos.RunOptions(timeout="5m", max_calls=8, on_question="default", roles={"coding": "qwen2.5-coder:7b"})
        answer = await app.run("Write a regex for ISO dates.", options=options)
    """

    timeout: float | str | None = None
    """The longest time that the whole run may take: seconds, or a text like "90s" or "5m". Kept as seconds."""
    max_turns: int | None = None
    """Turns that a participant may take for one question."""
    max_calls: int | None = None
    """Tool calls of the whole run, including those of specialists."""
    system: str = ""
    """Text that MMOS adds to the system text of the role that answers."""
    on_question: OnQuestion | None = None
    """What happens when a model asks the user: "fail", "default" (take the default that the model named), "wait" (the run waits until
    `App.answer`), or "ask" (call `Watch.answerer`). None: "ask" with an answerer, and "fail" without one."""
    roles: Mapping[str, str] | None = None
    """Other models for roles: `{"coding": "qwen2.5-coder:7b@ollama01"}`."""
    sampling: Mapping[str, Any] | None = None
    """Options of models: `{"temperature": 0.2}` for every role, `{"coding.temperature": 0.2}` for one."""
    schema: Mapping[str, Any] | None = None
    """A JSON Schema that the answer must fit. `Answer.data` is then its value."""
    role_only: str = ""
    """Only this role answers, without the arbiter."""
    model: str = ""
    """Only this model answers, `MODEL` or `MODEL@HOST`, without a role and its system text, and without tools but those of `tools`."""
    gpu: int | None = None
    """Models run on this GPU: roles that may use a server whose `gpus` name it use only such servers."""
    gpu_strategy: Strategy | None = None
    """On which of several servers a model is loaded. None: as `gpu.strategy` of the configuration says."""
    cache: bool | None = None
    """Whether an answer from the cache counts, if the configuration has one. False: models answer anew, and the new answers are kept."""
    urgency: Urgency | None = None
    """"interactive" calls go before "batch" calls. None: "interactive", and "batch" for the tasks of `App.batch`."""
    validate: bool | None = None
    """Whether the answer is validated: checked, judged by a model, and made better if it fails. None: as `quality.validation` of the
    configuration says, and yes with a `quality_threshold`."""
    quality_threshold: float | None = None
    """The score from 0 to 1 that the answer needs to pass its validation. None: `defaults.quality_threshold` of the configuration."""
    strategy: Answering | None = None
    """Who answers: "single" (the arbiter's model alone, or `model`) or "intelligent" (whoever fits the task). None: as
    `defaults.strategy` of the configuration says."""
    consult: str = ""
    """The arbiter must consult this role before it answers."""
    stand_ins: Sequence[str] | None = None
    """Roles whose models answer, in this order, when no host can serve the model that should answer."""

    pattern: str | Mapping[str, Any] | None = None
    """A pattern answers: the name of one, or a pattern by the keys of the configuration, like
    `{"pattern": "ensemble", "models": ["qwen2.5:14b", "llama3.1:8b@ollama02"]}`. `model="pattern:NAME"` means the same as its name here."""
    tools: Sequence[str] | None = None
    """Tools for the role or the model that answers, beside its own: "files", "shell", "web", or names of tools of the app."""
    folder: str = ""
    """Where "files" and "shell" work, if the configuration does not say it. Empty: the folder in which the program runs."""

    rag: bool | None = None
    """Whether passages of the library go with the task. None: if `rag_collection` or `rag_top_k` is set."""
    rag_collection: str = ""
    """The collection. Empty: `rag.collection` of the configuration."""
    rag_top_k: int | None = None
    """The most passages. None: as the configuration says."""

    mistakes: Mapping[str, Sequence[str]] | None = None
    """The mistakes of models that their prompts name. None: those that MMOS finds in the journal, if `tell_mistakes` of the configuration
    says so. `{}` names none."""

    def __post_init__(self) -> None:
        for name, value in [*vars(self).items()]:
            if value is not None:
                object.__setattr__(self, name, valid(name, value))
        if self.tools and not self.folder:
            object.__setattr__(self, "folder", str(Path.cwd()))  # a resumed run goes on in the same folder
        for name in ("system", "role_only", "model", "consult"):
            object.__setattr__(self, name, clean(getattr(self, name) or ""))  # as a command line gives it
        if self.model.startswith(PATTERN):
            object.__setattr__(self, "pattern", self.pattern or self.model.removeprefix(PATTERN))
            object.__setattr__(self, "model", "")
        if self.pattern and (self.model or self.role_only):
            raise UsageError("A pattern answers, but a model or a role is set, too.", next_step="Leave one of them out.")
        if self.model and (self.role_only or self.roles):
            raise UsageError(
                f"`model` asks {self.model} without any role, but a role is set, too.", next_step="Use either a model or roles."
            )
        if self.validate is False and self.quality_threshold is not None:
            raise UsageError("A quality threshold is set, but the answer is not validated.", next_step="Leave one of the two out.")

    def __repr__(self) -> str:
        """The options that are set, and only the length of a prompt."""
        values = {**self.as_facts(), **({"system": f"{len(self.system)} characters"} if self.system else {})}
        return f"RunOptions({', '.join(f'{name}={repr(value)[:SHOWN]}' for name, value in values.items())})"

    @property
    def wants_validation(self) -> bool | None:
        """Whether the caller wants the answer validated. None: the caller does not say."""
        return True if self.validate is None and self.quality_threshold is not None else self.validate

    @property
    def answering(self) -> str:
        """The role that answers the user."""
        return MODEL if self.is_model_alone else self.role_only or ARBITER

    @property
    def is_model_alone(self) -> bool:
        """Whether a model answers without a role."""
        return bool(self.model or self.pattern) or (self.strategy == "single" and not self.role_only)

    def as_facts(self) -> dict[str, Any]:
        """Only the options that are set."""
        return {name: value for name, value in vars(self).items() if value is not None and value != ""}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> RunOptions:
        return cls(**{spec.name: facts[spec.name] for spec in fields(cls) if spec.name in facts})

    def limits(self, limits: Limits) -> Limits:
        """The limits of the configuration, with those of this run."""
        return replace(
            limits,
            turns=self.max_turns or limits.turns,
            total_turns=self._total_turns(limits.total_turns),
            calls=self.max_calls or limits.calls,
            seconds=self.timeout if isinstance(self.timeout, float) else limits.seconds,
        )

    def _total_turns(self, total_turns: int | None) -> int | None:
        """A run with more turns or calls may also send the requests to models that they need."""
        return None if total_turns is None else max(total_turns, self.max_turns or 0, TURNS_A_CALL * (self.max_calls or 0))


@dataclass(frozen=True)
class Watch:
    """What a caller wants to see during a run, and a function that answers questions.

    Example::

        async def answer(question: mmos.events.QuestionAsked) -> str:
            return question.default or "yes"

        await app.run("Tidy up.", watch=mmos.Watch(on_token=print, answerer=answer))
    """

    on_token: Callable[[str], None] | None = None
    """Called with each piece of the answer."""
    on_hint: Callable[[Hint], None] | None = None
    """Called with all progress: turns, loading models, pieces of all participants."""
    answerer: Answerer | None = None
    """Awaited with each question that a model asks the user; returns the answer."""
    on_start: Callable[[str], None] | None = None
    """Called with the run's id when it begins."""
    on_begin: Callable[[str], None] | None = None
    """Called with the run's id before anything of the run is kept. What you append to the journal then comes before the run."""

    @property
    def listener(self) -> Callable[[Hint], None] | None:
        return self._hear if self.on_token or self.on_hint else None

    @property
    def inner_listener(self) -> Callable[[Hint], None] | None:
        return self._hear if self.on_hint else None

    def _hear(self, hint: Hint) -> None:
        if self.on_token is not None and hint.kind == "token" and hint.depth == 0:
            self.on_token(hint.text)
        if self.on_hint is not None:
            self.on_hint(hint)


async def carry(participants: Participants, scope: Scope, roll: RollCall) -> None:
    """Let the role of the scope answer, and record how the run ended, also when it is cancelled."""
    end: RunFinished | None = None
    _log.info("run_begun", run=scope.run, thread=scope.thread)
    try:
        phases.begin(scope)
        async with roll.beside(scope, participants.cast):
            end = await _outcome(participants, scope)
    except asyncio.CancelledError:
        end = cancelled(scope.view, text_so_far(scope.view, scope.conversation))
        raise
    except StateError as error:
        end = RunFinished("failed", None, _reason(error))
        raise
    finally:
        if scope.view.status is None:  # an internal error is raised unchanged, but the run must have an end
            scope.record(
                end
                or RunFinished(
                    "failed", text_so_far(scope.view, scope.conversation), Reason("internal", "An error inside mmos ended the run.")
                )
            )


async def keep_end(scope: Scope) -> None:
    """Wait until the journal has the end of a run, also when it was cancelled on request."""
    status, reason = scope.view.status, scope.view.reason
    _log.info("run_ended", run=scope.run, status=status, reason=reason.code if reason else None, calls=scope.view.requests)
    try:
        await scope.durable()
    except StateError as error:  # the answer exists, only its record does not: the user gets it with a warning
        scope.warn(f"MMOS did not keep this run. {error}")


async def _outcome(participants: Participants, scope: Scope) -> RunFinished:
    try:
        answer = await _in_time(participants, scope)
    except QuestionOpen as error:
        which = f" --question {error.question}" if len(scope.view.open_questions) > 1 else ""
        next_step = f"mmos runs answer {scope.run}{which} TEXT"
        return RunFinished("waiting", None, Reason(error.code, error.message, next_step))
    except LimitReached as error:
        return await _early_end(scope, text_so_far(scope.view, scope.conversation), Reason(error.limit, error.message, error.next_step))
    except HostError as error:
        # the stream broke off: keep its text; the journal has the specialists' answers
        return await _early_end(scope, scope.view.partial_texts.get(scope.lane), _reason(error))
    except StateError:
        raise
    except MmosError as error:
        return RunFinished("failed", None, _reason(error))
    text = await whole_answer(participants.shape, scope, answer)
    if scope.view.passages.found:
        from mmos.citing import check  # few runs have passages

        check(scope, text)
    return RunFinished("answered", text)


async def _in_time(participants: Participants, scope: Scope) -> str:
    seconds = scope.limits.seconds
    try:
        async with asyncio.timeout(seconds) as limit, IdleLimit(scope):
            return (await participants.answer(scope.within(seconds))).text
    except TimeoutError as error:
        if not limit.expired():
            raise
        message = " ".join([f"The run did not finish within {seconds:g} s.", *scope.view.cut_off.values()])
        raise LimitReached(message, limit="timeout", next_step="Allow more time with --timeout.") from error


async def _early_end(scope: Scope, text: str | None, reason: Reason) -> RunFinished:
    status: Status = "partial" if text else "failed"
    return RunFinished(status, await _whole(scope, text) if text else None, reason)


def _reason(error: MmosError) -> Reason:
    return Reason(error.code, error.message, error.next_step)


async def whole_answer(shape: Shape | None, scope: Scope, text: str) -> str:
    """What the user gets of the text that answers."""
    return await (_whole_json(shape, scope, text) if shape else _whole(scope, text))


async def _whole(scope: Scope, text: str) -> str:
    """The text with its long answers inserted."""
    return expand(text, await _long_answers(scope, text), scope.view.artifacts, scope.view.speaker)


async def _whole_json(shape: Shape, scope: Scope, text: str) -> str:
    """Only the JSON. References are replaced by the long answers, if the result still fits the schema."""
    full, _ = _fill(text, await _long_answers(scope, text), lambda part: orjson.dumps(part).decode()[1:-1])
    return text if shape.problems(full) else full


async def _long_answers(scope: Scope, text: str) -> Mapping[str, ArtifactKept]:
    """The long answers that a text may refer to: of this run, or of earlier runs of the thread."""
    artifacts = scope.view.artifacts
    if set(REFERENCE.findall(text)) - artifacts.keys():
        entries = await scope.journal.read(thread=scope.thread, kinds=(ArtifactKept.kind,))
        artifacts = {entry.event.artifact: entry.event for entry in entries if isinstance(entry.event, ArtifactKept)}
    return artifacts


def expand(text: str, artifacts: Mapping[str, ArtifactKept], own: Mapping[str, ArtifactKept], lane: str) -> str:
    """Replace references by the long answers. The run's own answers without a reference follow at the end, so the user gets each one whole."""
    text, used = _fill(text, artifacts, str)
    rest = [
        f"\n\n---\n{artifact.role}:\n\n{artifact.text}"
        for name, artifact in own.items()
        if name not in used and artifact.role and artifact.lane == lane and artifact.text not in text
    ]
    return text + "".join(rest)


def _fill(text: str, artifacts: Mapping[str, ArtifactKept], write: Callable[[str], str]) -> tuple[str, set[str]]:
    """The text with the long answers in place of their references, and the names of these. A later mention gets its answer up to a limit."""
    used: set[str] = set()
    room = REPEATED

    def whole(reference: re.Match[str]) -> str:
        nonlocal room
        name = reference.group(1)
        if name not in artifacts or (name in used and len(artifacts[name].text) > room):
            return reference.group(0)
        room -= len(artifacts[name].text) if name in used else 0
        used.add(name)
        return write(artifacts[name].text)

    return REFERENCE.sub(whole, text), used

"""Summarises the older exchanges of a conversation on request, so that its prompts become shorter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mmos.app.lifecycle import RunOptions, Watch
from mmos.errors import UsageError
from mmos.journal import Journal, new_id
from mmos.messages import Message
from mmos.participant.composing import Composer
from mmos.participant.excess import Excess
from mmos.participant.loop import Participants
from mmos.participant.summarising import summary_of
from mmos.prompting.compose import Space
from mmos.scope import Scope
from mmos.views.conversation import Conversation, Lane
from mmos.views.listing import RUN_KINDS, THREAD_KINDS, at_work, find_thread, runs
from mmos.window_events import COMPACT


class Home(Protocol):
    """What summarising needs of an app."""

    @property
    def journal(self) -> Journal: ...
    async def _conversation(self, thread: str) -> Conversation: ...
    async def _participants(self, options: RunOptions, watch: Watch | None) -> Participants: ...
    def _scope(self, run: str, thread: str, conversation: Conversation, options: RunOptions, watch: Watch) -> Scope: ...


@dataclass(frozen=True)
class Compaction:
    """What summarising a conversation brought."""

    thread: str
    exchanges: int = 0
    """How many of the oldest exchanges became a summary. 0: there was nothing to summarise, or the summary was longer and does not count."""
    before: int = 0
    """The estimated tokens of the next prompt, without its task."""
    after: int = 0
    by: str = ""
    """The model that summarised."""


async def compact(app: Home, name: str, options: RunOptions) -> Compaction:
    """Put a summary in the place of all exchanges but the newest. Raises `NotFound` without such a conversation, and `HostError` when no model can be asked."""
    thread = find_thread(await app.journal.read(kinds=THREAD_KINDS), name)
    if any(at_work(row, app.journal.alive) for row in runs(await app.journal.read(thread=thread, kinds=RUN_KINDS), app.journal.alive, 0.0)):
        raise UsageError("A run is at work in this conversation.", next_step="Wait until it has ended, or stop it: mmos runs cancel RUN.")
    conversation = await app._conversation(thread)
    role = _role_of(conversation, options.answering)
    history = conversation.histories.get(("thread", role))
    exchanges = len(history.starts) - 1 if history is not None else 0
    if history is None or exchanges <= max(history.summarised, 0):
        return Compaction(thread)
    participants = await app._participants(options, Watch())
    member = participants.cast.get(role) or participants.cast[options.answering]
    scope = app._scope(new_id(), thread, conversation, options, Watch()).bind(lane=COMPACT, role=role)
    lane = Lane(role, history, len(history.starts), [Message("user", "")])
    composer = Composer(member, scope, participants.experience, lane)
    window = participants.experience.window(member.role.model, member.role.window)
    space = Space(window, member.role.model, participants.experience.gauge.of(member.role.model))
    event = await summary_of(Excess(composer, participants, member.offer("tools", member.box, window).frame, space), exchanges)
    is_shorter = event.after < event.before
    if is_shorter:
        scope.record(event)
    await scope.durable()
    return Compaction(thread, exchanges if is_shorter else 0, event.before, event.after, event.by)


def _role_of(conversation: Conversation, answering: str) -> str:
    """The role that answered the user last."""
    return next((lane.role for lane in reversed(conversation.roots.values())), answering)

"""Reads the parts of a task through the lanes of its participant, so a resumed run asks nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from mmos.chunk_events import PartFailed, PartsJoined, TaskCondensed
from mmos.chunking.notes import Note, groups_of, useful, weight_of, written
from mmos.chunking.plan import Piece, Plan
from mmos.context import PASS_ON, Answer, Question
from mmos.errors import HostError, MmosError, NoAnswer, NoHost, ToolError
from mmos.fences import Fenced, fenced
from mmos.messages import Message
from mmos.participant.cast import in_other_words
from mmos.participant.loop import Exchange
from mmos.prompting.budget import estimate
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.views.chunks import DIVISION

Item = TypeVar("Item")

FAULTS = (HostError, NoAnswer, ToolError)
"""Why a part may not be read, after all that helps otherwise. The others are read nevertheless."""
ENDS = (NoHost, *PASS_ON)
"""Errors that end the reading."""
CARRIED_LETTERS = 480
"""Characters of the end of one rewritten part that the next one goes on from."""
MOST_LEVELS = 8
"""How often notes are put together."""


@dataclass(frozen=True)
class Reading:
    """The reading of one task in parts."""

    exchange: Exchange
    plan: Plan
    at_once: int = 1
    """How many parts are read at the same time."""

    @property
    def scope(self) -> Scope:
        return self.exchange.scope

    @property
    def templates(self) -> Templates:
        return self.exchange.member.templates

    @property
    def request(self) -> str:
        return self.plan.asked.request

    async def run(self) -> None:
        """Read all parts, and let the lane go on with what came of it."""
        if self.plan.divided.way == "rewritten":
            await self._rewrite()
        elif self.plan.divided.way == "followed":
            await self._follow()
        else:
            await self._map()

    # ---------------------------------------------------------------- each part by itself

    async def _map(self) -> None:
        notes: list[Note] = []

        async def read(piece: Piece) -> None:
            text = self.templates.fill("part", request=self.request, place=piece.place, text=piece.text)
            answer = await self._try(piece, text)
            if answer is not None:
                notes.append(Note(piece.number, piece.number, answer.text, piece.place))

        await self._side_by_side(read, self.plan.pieces)
        self._check_read()
        self._condense(written(await self._fitting(useful(notes))))

    async def _fitting(self, notes: list[Note]) -> list[Note]:
        """The notes, put together until they fit into one message beside the request."""
        room = self.plan.sizes.final - estimate(self.request) - estimate(self._missing())
        for level in range(1, MOST_LEVELS + 1):
            if weight_of(notes) <= room or len(notes) < 2:
                break
            notes = await self._combined(notes, level)
        return self._cut(notes, room)

    async def _combined(self, notes: list[Note], level: int) -> list[Note]:
        groups = groups_of(notes, self.plan.sizes.room - self.plan.sizes.note)
        combined: list[Note] = []

        async def combine(group: list[Note]) -> None:
            key = f"notes-{level}-{groups.index(group) + 1}-of-{len(groups)}"
            text = self.templates.fill("part_notes", request=self.request, notes=written(group))
            try:
                combined.append(Note(group[0].first, group[-1].last, (await self._ask(key, text)).text))
            except FAULTS as error:
                if _all_gone(error):
                    raise
                self._warn(f"the notes on parts {group[0].first} to {group[-1].last} could not be put together: {error.message}")

        await self._side_by_side(combine, [group for group in groups if len(group) > 1])
        return useful([*combined, *(group[0] for group in groups if len(group) == 1)])

    def _cut(self, notes: list[Note], room: float) -> list[Note]:
        """Notes that still do not fit lose their ends, and the user reads that."""
        if not notes or weight_of(notes) <= room:
            return notes
        share = max(0.0, room / weight_of(notes) * 0.9)
        self._warn("the notes on the parts do not fit into its window, so their ends were left out")
        return [replace(note, text=note.text[: int(len(note.text) * share)]) for note in notes]

    async def _side_by_side(self, work: Callable[[Item], Awaitable[None]], items: Iterable[Item]) -> None:
        """Do the work for all items, several at the same time. After an error that ends the run, nothing new begins."""
        ends: list[MmosError] = []
        left = iter(items)

        async def worker() -> None:
            for item in left:
                try:
                    await work(item)
                except ENDS as error:
                    ends.append(error)
                if ends:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(worker())
        if ends:
            raise ends[0]

    # ---------------------------------------------------------------- one part after the other

    async def _rewrite(self) -> None:
        """Write each part anew, after the end of the one before. The user sees each as soon as it is there."""
        results: list[str] = []
        for piece in self.plan.pieces:
            before = Fenced(self.templates.fill("part_before", text=fenced(results[-1][-CARRIED_LETTERS:])) if results else "")
            text = self.templates.fill(
                "part_rewritten", request=self.request, parts=str(piece.of), before=before, place=piece.place, text=piece.text
            )
            answer = await self._try(piece, text)
            result = answer.text.strip() if answer else self.templates.fill("part_missing", number=str(piece.number), of=str(piece.of))
            results.append(result + ("" if piece.number == piece.of else joint(piece.text, result)))
            self.scope.hint("token", results[-1])
        self._check_read()
        self._condense("", told="parts_rewritten")
        self.scope.record(PartsJoined(self.scope.lane, Message("assistant", self._passed_on("".join(results))), self.scope.role))

    def _passed_on(self, text: str) -> str:
        """A text that fills too much of the window is kept beside the thread. The user gets it whole."""
        return text if estimate(text) <= self.plan.sizes.final / 2 else self.scope.keep(self.scope.role, text)

    async def _follow(self) -> None:
        """Take notes from part to part. The last part follows them word for word."""
        notes = ""
        for piece in self.plan.pieces[:-1]:
            before = Fenced(self.templates.fill("part_so_far", notes=fenced(notes)) if notes else "")
            text = self.templates.fill(
                "part_followed", request=self.request, parts=str(piece.of), before=before, place=piece.place, text=piece.text
            )
            answer = await self._try(piece, text)
            notes = answer.text.strip() if answer else notes
        self._check_read()
        last = self.plan.pieces[-1]
        note = Note(1, last.number - 1, notes)
        end = Note(last.number, last.number, self._ending(last.text, note), last.place)
        self._condense(written([note, end]))

    def _ending(self, text: str, note: Note) -> str:
        """The end of the text, as much as fits beside the notes."""
        room = max(64.0, self.plan.sizes.final - note.weight - estimate(self.request) - 100)
        weight = estimate(text)
        return text if weight <= room else text[-int(len(text) * room / weight * 0.95) :]

    # ---------------------------------------------------------------- one request

    async def _try(self, piece: Piece, text: str) -> Answer | None:
        """The answer to a part. None: the part could not be read, which is recorded."""
        division = self.scope.view.divisions.by_lane[self.scope.lane]
        if piece.number in division.failed:
            return None
        try:
            return await self._ask(f"part-{piece.number}-of-{piece.of}", text)
        except FAULTS as error:
            if _all_gone(error):
                raise
            self.scope.record(PartFailed(self.scope.lane, self.scope.role, piece.number, piece.of, error.message))
            self._warn(f"{piece.place} could not be read: {error.message}")
            return None

    async def _ask(self, key: str, text: str) -> Answer:
        member, role = self.exchange.member, self.exchange.member.role
        most = int(self.plan.tokens(self.plan.sizes.note)) if self.plan.divided.way == "mapped" else role.window
        limit = role.options.get("num_predict")
        options = {**role.options, "num_predict": min(most, limit) if isinstance(limit, int) and limit > 0 else most}
        others = [other for other in member.others if other.window == role.window]
        who = replace(in_other_words(role, self.templates.fill("part_reader"), others), options=options)
        question = Question(who, Message("user", text), key, named=True, memory="none", tools=())
        scope = self.scope.bind(limits=replace(self.scope.limits, depth=max(self.scope.limits.depth, self.scope.depth + 1)))
        return await self.exchange.room.ask(scope, question, call=DIVISION)

    # ---------------------------------------------------------------- the end

    def _check_read(self) -> None:
        """Raise when no part could be read."""
        failed = self.scope.view.divisions.by_lane[self.scope.lane].failed
        if len(failed) == self.plan.divided.parts:
            raise NoAnswer(f"{self.scope.role} could read no part of the task. The last one: {failed[max(failed)]}")

    def _missing(self) -> str:
        failed = sorted(self.scope.view.divisions.by_lane[self.scope.lane].failed)
        return self.templates.fill("parts_unread", parts=", ".join(map(str, failed))) if failed else ""

    def _condense(self, notes: str, told: str = "parts_read") -> None:
        """Let the lane go on with a message that fits in place of the task."""
        scope = self.scope
        division = scope.view.divisions.by_lane[scope.lane]
        if division.condensed is not None:
            return
        request, parts, missing = self.request, str(self.plan.divided.parts), self._missing()
        if told == "parts_read":
            notes = notes or self.templates.fill("parts_empty")
            text = self.templates.fill("parts_read", request=request, parts=parts, missing=missing, notes=notes)
        else:
            text = self.templates.fill("parts_rewritten", request=request, parts=parts, missing=missing)
        images = tuple(file for file in scope.exchange.messages[0].files if file.image)
        scope.record(TaskCondensed(scope.lane, Message("user", text.strip(), files=images), scope.role))

    def _warn(self, text: str) -> None:
        self.scope.warn(f"{self.scope.role}: {text}")


def joint(text: str, result: str) -> str:
    """What stands after the result of a part. A script without spaces may have become one with spaces."""
    blanks = text[len(text.rstrip()) :]
    return blanks or (" " if result[-1:].isascii() and not text[-1:].isascii() else "")


def _all_gone(error: MmosError) -> bool:
    """Whether no other part can be read, either: no host can be reached. The run can be resumed when one can."""
    return isinstance(error, NoHost) and all(fault.code == "host_unreachable" for fault in error.said.values())

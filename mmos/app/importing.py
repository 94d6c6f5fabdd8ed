"""Imports exported runs into a journal: reads the lines, refuses runs that make no sense, and writes the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mmos.errors import UsageError
from mmos.events import Entry, LaneOpened, RunStarted, ThreadNamed
from mmos.journal import Journal
from mmos.journal.exported import NotAnEntry, Part, entry_and_part, entry_of, marked
from mmos.views.listing import RUN_KINDS, ThreadRow, check_name, threads
from mmos.window_events import COMPACT

LONGEST = 1 << 28
"""The bytes of the longest line. The journal takes no larger event."""

AT_ONCE = 512
"""Entries of one transaction, if no run needs more."""


@dataclass(frozen=True, order=True)
class Problem:
    """Why a line, or the run of a line, is not imported."""

    line: int
    message: str
    run: str = ""


@dataclass
class Source:
    """The lines of an export. They are kept as they are, because their events take several times as much memory."""

    lines: list[tuple[str, bytes]] = field(default_factory=list)
    """The run of each line that can be read, and the line. A name of a thread belongs to no run."""
    problems: list[Problem] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Runs of which something is wrong."""
    threads: dict[str, str] = field(default_factory=dict)
    """The thread of each run."""


def read_source(lines: Iterable[bytes]) -> Source:
    """Read every line. A run with a wrong line is refused as a whole."""
    return _Reader().read(lines)


@dataclass
class _Lines:
    """The lines of one run: whether they are all there, in their order."""

    count: int = 0
    of: int = 0
    """How many they say there are. 0: an older mmos wrote them, and nobody can tell."""
    gap: int = 0
    """The first line that is not the next one of its run."""

    def take(self, number: int, part: Part | None) -> None:
        self.count += 1
        self.of = self.of or (part[1] if part else 0)
        if (self.of or part) and part != (self.count, self.of):
            self.gap = self.gap or number

    def problem(self, last: int) -> tuple[int, str] | None:
        """The line, and what is wrong. `last`: the last line of the run."""
        if self.of and self.count != self.of:
            return self.gap or last, f"The file has {self.count:,} of {self.of:,} lines of this run."
        return (self.gap, "The lines of this run are not in their order.") if self.gap else None


class _Reader:
    def __init__(self) -> None:
        self._source = Source()
        self._last: dict[str, int] = {}
        """The last line of each run."""
        self._lines: dict[str, _Lines] = {}
        self._unreadable: list[tuple[int, str]] = []
        """Lines that name no run, and the run of the line before."""

    def read(self, lines: Iterable[bytes]) -> Source:
        first: dict[str, int] = {}
        before = ""
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry, part = entry_and_part(line)
            except NotAnEntry as problem:
                self._source.problems.append(Problem(number, str(problem)))
                self._unreadable.append((number, before))
                continue
            first.setdefault(entry.run, number)
            before = entry.run
            self._take(number, entry, line)
            if entry.run:
                self._lines.setdefault(entry.run, _Lines()).take(number, part)
        for number, run in self._unreadable:  # the line may have been of a run that has lines around it
            around = {one for one in first if one and first[one] < number < self._last[one]}
            self._source.refused |= {*around, run} - {""}
        self._source.problems = [self._with_run(problem) for problem in self._source.problems]
        self._refuse_incomplete()
        return self._source

    def _refuse_incomplete(self) -> None:
        for run, lines in self._lines.items():
            if run not in self._source.refused and (wrong := lines.problem(self._last[run])):
                self._source.problems.append(Problem(*wrong, run))
                self._source.refused.add(run)

    def _take(self, number: int, entry: Entry, line: bytes) -> None:
        source = self._source
        if wrong := self._wrong(entry):
            source.problems.append(Problem(number, wrong, entry.run))
            source.refused |= {entry.run} - {""}
            if not entry.run:
                return
        if entry.run:
            source.threads.setdefault(entry.run, entry.thread)
        self._last[entry.run] = number
        source.lines.append((entry.run, line))

    def _wrong(self, entry: Entry) -> str:
        """What is wrong with an entry in its place."""
        if isinstance(entry.event, ThreadNamed):
            try:
                check_name(entry.event.name)
            except UsageError as error:
                return error.message
            return ""
        begun = entry.run in self._source.threads
        compacts = isinstance(entry.event, LaneOpened) and entry.event.parent == COMPACT
        if not begun and not isinstance(entry.event, RunStarted) and not compacts:
            return "The run does not begin with its start."
        if begun and isinstance(entry.event, RunStarted):
            return "The run begins a second time."
        if begun and self._source.threads[entry.run] != entry.thread:
            return "The run has events of two conversations."
        return ""

    def _with_run(self, problem: Problem) -> Problem:
        """Name the run of the line before, which is not imported because of an unreadable line."""
        runs = dict(self._unreadable)
        return problem if problem.run else Problem(problem.line, problem.message, runs.get(problem.line, ""))


@dataclass
class Import:
    """What an import did."""

    problems: list[Problem]
    runs: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    """Runs that are already in the journal. They stay as they are."""
    entries: int = 0
    notes: list[str] = field(default_factory=list)


async def bring(journal: Journal, source: Source) -> Import:
    """Write the runs in the order of the lines, so that a conversation keeps its order. Each run comes whole or not at all."""
    done = Import(source.problems)
    names = _Names(threads(await journal.read(kinds=(ThreadNamed.kind,))), source, done.notes)
    known = {entry.run for entry in await journal.read(kinds=RUN_KINDS)}
    there = known & source.threads.keys()
    for group in _groups(source, {*source.refused, *there}):
        entries = [marked(entry, imported=True) for entry in map(entry_of, group) if names.may_have(entry)]
        while found := await journal.adopt(entries):
            there |= found
            entries = [entry for entry in entries if entry.run not in found]
        done.entries += len(entries)
        done.runs += dict.fromkeys(entry.run for entry in entries if entry.run)
    done.there = [run for run in source.threads if run in there]
    return done


def _groups(source: Source, without: set[str]) -> Iterator[list[bytes]]:
    """Groups of lines with whole runs: a run that has lines in a group has all its lines there. `without`: runs to leave out."""
    last = {run: place for place, (run, _) in enumerate(source.lines)}
    group: list[bytes] = []
    end = 0
    for place, (run, line) in enumerate(source.lines):
        if run not in without:
            group.append(line)
            end = max(end, last[run] if run else place)
        if place >= end and len(group) >= AT_ONCE:
            yield group
            group = []
    if group:
        yield group


class _Names:
    """Decides which names of threads come along. A name that this journal has given stays, and no two threads get the same."""

    def __init__(self, rows: Iterable[ThreadRow], source: Source, notes: list[str]) -> None:
        self._here = {row.thread: row.name for row in rows}
        self._taken = {name: thread for thread, name in self._here.items()}
        self._coming = {thread for run, thread in source.threads.items() if run not in source.refused}
        self._refused = {*source.threads.values()} - self._coming
        self._notes = notes

    def may_have(self, entry: Entry) -> bool:
        """Whether to write this entry. Those of runs all are."""
        if not isinstance(entry.event, ThreadNamed):
            return True
        name, thread = entry.event.name, entry.thread
        if thread in self._here:
            if self._here[thread] != name:
                self._notes.append(f"The conversation {thread} keeps its name {self._here[thread]!r}. In the export it is {name!r}.")
            return False
        if self._taken.setdefault(name, thread) != thread:
            self._notes.append(f"The conversation {thread} comes without its name, because {self._taken[name]} is named {name!r} here.")
            return False
        return thread not in self._refused

"""Patterns on the screen: lines of progress, live lines, the record of a run, and text that would steer a terminal."""

from __future__ import annotations

import io

from mmos import events
from mmos.cli.activity import Activity
from mmos.cli.chat.reports import reasons
from mmos.cli.guard import unstyled
from mmos.cli.progress import RunDisplay
from mmos.cli.text import cells
from mmos.cli.trace import lines, progress
from mmos.event import Event
from mmos.events import Entry
from mmos.messages import Message, Usage
from mmos.pattern_events import (
    ConflictFound,
    MemberEnded,
    MemberVoted,
    PatternAdvised,
    PatternAnswered,
    PatternBegun,
    PatternEnded,
    StepRolledBack,
)
from mmos.scope import Hint

BEGUN = PatternBegun(
    "p1", "arbiter", "pattern", "second_opinion", "ensemble", "vote", "auto", ("small", "large", "other"), ("a:1b", "b:7b", "c:3b")
)
OPENED = events.LaneOpened("arbiter", "arbiter", Message("user", "Is 91 prime?"))
ASKED = events.LaneOpened("arbiter/pattern/small", "small", Message("user", "Is 91 prime?"), "arbiter", "pattern", 1, "small")
PATTERN: list[Event] = [
    BEGUN,
    MemberEnded("p1", "small", "small", "a:1b", "gpu1", "answered", ASKED.lane, 2.0, 12, "review"),
    MemberVoted("p1", "small", "no", 0.5, "7 times 13"),
    MemberEnded("p1", "large", "large", "b:7b", "gpu2", "failed", "arbiter/pattern/large", 9.0, why="no host has b:7b"),
    MemberEnded("p1", "other", "other", "c:3b", "", "late", "arbiter/pattern/other", 30.0),
    MemberVoted("p1", "other", None, None, "it says nothing"),
    StepRolledBack("p1", "large", "small", "its score is lower"),
    ConflictFound("p1", ("small", "large"), "the divisor", "small"),
    PatternEnded("p1", "answered", "No.", "small", 0.67, {"large": "It is prime.\nSure."}, 31.0),
]


def test_who_watches_reads_who_answered_and_what_became_of_the_rest() -> None:
    assert [progress(event) for event in PATTERN] == [
        "Running ensemble pattern with 3 models...",
        "  ✓ small (a:1b on gpu1) · review · answered · 2.0 s · 12 tokens",
        "    small votes no · score 0.50: 7 times 13",
        "  ✗ large (b:7b on gpu2) · failed · 9.0 s: no host has b:7b",
        "  ✗ other (c:3b) · late · 30.0 s",
        "    other has no vote: it says nothing",
        "  ! large made it worse, so the result of small counts: its score is lower",
        "  ! small and large contradict each other about the divisor; small counts",
        "  answered · the answer of small was taken · agreement 0.67 · large says something different · 31.0 s",
    ]


def test_one_model_is_one_model() -> None:
    assert progress(PatternBegun("p", shape="sequential", members=("a",))) == "Running sequential pattern with 1 model..."
    assert progress(PatternBegun("p", shape="mine:Debate", members=("a", "b"))) == "Running mine:Debate pattern with 2 models..."


def test_the_record_shows_votes_dissent_and_what_was_undone() -> None:
    end = [
        PatternAnswered("arbiter", Message("assistant", "No."), "arbiter", "p1"),
        PatternAdvised("arbiter", "Ask again.", "arbiter", "p1"),
    ]
    told = [line[10:] for line in lines(Entry("r", "t", 100.0, event) for event in [OPENED, *PATTERN, *end])]
    assert told == [
        "pattern second_opinion (ensemble, vote, voting auto) begins with a:1b, b:7b, c:3b",
        "  member small (a:1b on gpu1) · review · answered · 2.0 s · 12 tokens",
        "  small votes no · score 0.50: 7 times 13",
        "  member large (b:7b on gpu2) · failed · 9.0 s: no host has b:7b",
        "  member other (c:3b) · late · 30.0 s",
        "  other has no vote: it says nothing",
        "  large made it worse, so the result of small counts: its score is lower",
        "  small and large contradict each other about the divisor; small counts",
        "  pattern ended, answered · the answer of small was taken · agreement 0.67 · large says something different · 31.0 s",
        "    dissent of large: It is prime. Sure.",
        "the result of the pattern is the answer of arbiter",
        "arbiter gets the advice of the members: Ask again.",
    ]


def test_each_member_has_a_live_line_below_its_pattern() -> None:
    live = Activity()
    for event in (OPENED, BEGUN, ASKED):
        live.on_event(event, 0.0)
    for kind in ("turn", "reading", "token"):
        live.on_hint(Hint(kind, "small", ASKED.lane, "gpu1" if kind == "reading" else "7", 1), 1.0)
    live.on_event(events.ModelAsked("q1", ASKED.lane, "small", "a:1b"), 1.0)
    shown = [unstyled(line) for line in live.lines(2.0, 90)]
    assert "second_opinion · Running ensemble pattern with 3 models... · 2.0 s" in shown[0]
    assert "small · a:1b on gpu1 · writing" in shown[1]
    assert shown[1].startswith("    ")
    reply = events.ModelReplied("q1", ASKED.lane, "small", "a:1b", "gpu1", Message("assistant", "No."), Usage(output_tokens=12))
    live.on_event(reply, 2.0)
    for event in PATTERN[1:3]:
        live.on_event(event, 3.0)
    assert "✓ small · a:1b on gpu1 · 12 tokens · votes no · 3.0 s" in unstyled(live.lines(4.0, 90)[1])
    live.on_event(PATTERN[-1], 5.0)
    assert [line[:24] for line in map(unstyled, live.collapsed(90))] == ["  ✓ second_opinion · Run", "    ✓ small · a:1b on gp"]
    assert live.settled


def test_without_a_terminal_each_member_is_a_line_at_its_end() -> None:
    err = io.StringIO()
    display = RunDisplay(stream=False, progress=False, patterns=True, out=io.StringIO(), err=err)
    tool = PatternBegun("p2", "arbiter", "call", "inner", "voting", members=("a",))
    for event in [OPENED, tool, *PATTERN, MemberEnded("p2", "a", "a")]:
        display.on_event(event)
    shown = err.getvalue().splitlines()
    assert shown[0] == "Running ensemble pattern with 3 models..."
    assert len(shown) == len(PATTERN)
    assert not any("inner" in line for line in shown)
    silent = RunDisplay(stream=False, progress=False, out=io.StringIO(), err=(quiet := io.StringIO()))
    for event in [OPENED, *PATTERN]:
        silent.on_event(event)
    assert quiet.getvalue() == ""


def test_why_says_who_was_asked_and_how_they_voted() -> None:
    shown = reasons([Entry("r", "t", 1.0, event) for event in [OPENED, BEGUN, ASKED, *PATTERN[1:]]], 160)
    assert shown[0] == "arbiter: you asked: Is 91 prime?"
    assert "  pattern second_opinion (ensemble, vote, voting auto) begins with a:1b, b:7b, c:3b" in shown
    assert "  small votes no · score 0.50: 7 times 13" in shown
    assert "  dissent of large: It is prime. Sure." in shown
    assert shown[-1] == "  small: as small of a pattern"


def test_names_and_votes_cannot_steer_a_terminal() -> None:
    evil = "\x1b[2Ja\nb\u202e"
    hostile: list[Event] = [
        PatternBegun("p", "arbiter", "pattern", evil, evil, evil, evil, (evil,), (evil,)),
        MemberEnded("p", evil, evil, evil, evil, "failed", why=evil, task=evil),
        MemberVoted("p", evil, evil, None, evil),
        StepRolledBack("p", evil, evil, evil),
        ConflictFound("p", (evil, evil), evil, evil),
        PatternEnded("p", "failed", evil, evil, None, {evil: evil}, why=evil),
    ]
    err = io.StringIO()
    display = RunDisplay(stream=False, progress=True, out=io.StringIO(), err=err)
    for event in hostile:
        display.on_event(event)
    shown = err.getvalue().splitlines() + list(lines(Entry("r", "t", 1.0, event) for event in hostile))
    assert len(shown) == 2 * len(hostile) + 1
    assert all(line.isprintable() and cells(line) < 700 for line in shown)

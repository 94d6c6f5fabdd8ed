"""Who is at work, folded from hints and facts: whichever tells first, nested, collapsed in order, and in lines that fit."""

from __future__ import annotations

from wcwidth import wcswidth

from mmos import events
from mmos.cli.activity import Activity
from mmos.cli.guard import unstyled
from mmos.cli.work import Work
from mmos.messages import Message, ToolCall, Usage
from mmos.placement.facts import Outlook
from mmos.scope import Hint


def plain(lines: list[str]) -> list[str]:
    return [unstyled(line) for line in lines]


def live() -> Activity:
    opened: list[Work] = []

    def number(work: Work) -> int:
        opened.append(work)
        return len(opened) if work.role else 0

    made = Activity(number)
    made.on_event(events.LaneOpened("r", "arbiter", Message("user", "Why?")), 0.0)
    made.on_hint(Hint("turn", "arbiter", "r"), 0.0)
    made.on_event(events.ModelAsked("a0", "r", "arbiter", "small"), 0.0)
    return made


def consult(call: str, role: str, lane: str, parent: str = "r", depth: int = 1) -> list[events.Event]:
    return [
        events.CallStarted(call, parent, "arbiter", f"consult_{role}_specialist", {"query": "How so?"}),
        events.LaneOpened(lane, role, Message("user", "How so?"), parent, call, depth),
        events.ModelAsked(f"a{call}", lane, role, f"{role}-model"),
    ]


def replied(lane: str, role: str, text: str = "Thus.", calls: tuple[ToolCall, ...] = ()) -> events.ModelReplied:
    usage = Usage(prompt_tokens=10, output_tokens=40, output_seconds=2.0)
    return events.ModelReplied("a", lane, role, f"{role}-model", "here", Message("assistant", text, calls), usage)


def finished(call: str, ok: bool = True, text: str = "{}") -> events.CallFinished:
    return events.CallFinished(call, "r", "arbiter", "consult", ok, Message("tool", text))


def test_hints_that_are_ahead_of_the_facts_are_kept() -> None:
    seen = live()
    seen.on_hint(Hint("turn", "coding", "r/1", depth=1), 1.0)
    seen.on_hint(Hint("loading", "coding", "r/1", "box", depth=1), 1.0)
    assert plain(seen.lines(1.0, 80)) == [], "nobody knows yet who asked it"
    for event in consult("c1", "coding", "r/1"):
        seen.on_event(event, 1.1)
    (line,) = plain(seen.lines(3.1, 80))
    assert line[4:] == "coding · coding-model on box · loading · How so? · 2.0 s"


def test_stages_follow_the_hints_and_writing_has_a_speed() -> None:
    seen = live()
    for event in consult("c1", "coding", "r/1"):
        seen.on_event(event, 0.0)
    told = []
    for hint, now in ((None, 0.0), ("reading", 1.0), ("token", 2.0), ("token", 3.0), ("restart", 4.0)):
        if hint:
            seen.on_hint(Hint(hint, "coding", "r/1", "box" if hint == "reading" else "x", 1), now)
        told.append(plain(seen.lines(now, 80))[0][4:])
    assert [line.split(" · ")[2] for line in told] == ["queued", "reading", "writing", "writing", "queued"]
    assert "2 tok/s" in told[3]


def test_a_tool_that_asks_several_has_a_line_for_each_below_its_own() -> None:
    seen = live()
    seen.on_event(events.CallStarted("c1", "r", "arbiter", "compare", {"of": "two"}), 0.0)
    for role in ("coding", "analysis", "coding~2"):
        lane = f"r/c1/{role}"
        seen.on_hint(Hint("turn", role.partition("~")[0], lane, depth=1), 0.0)
        seen.on_event(events.LaneOpened(lane, role.partition("~")[0], Message("user", "How?"), "r", "c1", 1, role), 0.0)
        seen.on_event(events.ModelAsked(f"a{role}", lane, role.partition("~")[0], "m"), 0.0)
    assert [line.split(" · ")[0].split()[-1] for line in plain(seen.lines(1.0, 80))] == ["compare", "coding", "analysis"]
    for role, status in (("coding~2", "answered"), ("analysis", "failed")):
        lane = f"r/c1/{role}"
        seen.on_event(replied(lane, role.partition("~")[0]), 1.0)
        seen.on_event(events.LaneClosed(lane, role.partition("~")[0], status), 1.0)  # type: ignore[arg-type]
    seen.on_event(finished("c1"), 2.0)
    assert [line.split(" · ")[0].strip() for line in plain(seen.collapsed(80))] == ["✓ compare", "✓ [2] coding", "✗ [3] analysis"]


def test_what_is_done_collapses_in_the_order_of_the_calls_with_what_was_done_for_it_below() -> None:
    seen = live()
    for event in (*consult("c1", "coding", "r/1"), *consult("c2", "analysis", "r/2"), *consult("c3", "reasoning", "r/3", "r/1", 2)):
        seen.on_event(event, 0.0)
    assert [line.index("·") > 0 and len(line) - len(line.lstrip()) for line in plain(seen.lines(0.5, 80))] == [2, 4, 2]
    seen.on_event(replied("r/2", "analysis"), 1.0)
    seen.on_event(finished("c2"), 1.0)
    assert plain(seen.collapsed(80)) == [], "an older one is still at work"
    assert not seen.settled
    for event in (replied("r/3", "reasoning"), finished("c3"), replied("r/1", "coding"), finished("c1")):
        seen.on_event(event, 2.0)
    assert plain(seen.collapsed(80)) == [
        "  ✓ [1] coding · coding-model on here · 40 tokens · 20 tok/s · 2.0 s",
        "    ✓ [2] reasoning · reasoning-model on here · 40 tokens · 20 tok/s · 2.0 s",
        "  ✓ [3] analysis · analysis-model on here · 40 tokens · 20 tok/s · 1.0 s",
    ]
    assert seen.settled


def test_a_turn_that_was_only_hinted_at_is_not_settled() -> None:
    seen = live()
    seen.on_hint(Hint("turn", "arbiter", "r"), 1.0)
    assert not seen.settled, "the facts of the turn before may still be on their way"
    seen.on_event(events.ModelAsked("a1", "r", "arbiter", "small"), 1.0)
    assert seen.settled


def test_failures_tools_and_notes_are_told() -> None:
    seen = live()
    for event in (
        events.CallStarted("c1", "r", "arbiter", "read_file", {"path": "x\x1b[2J.txt"}),
        finished("c1", ok=False, text="It is\nnot there."),
        events.ModelFailed("a", "r", "arbiter", "small", "box", "stream_cut", "It broke off."),
        events.Warned("Too long."),
        events.CallStarted("c2", "r", "arbiter", "escalate_to_user", {"question": "Which?"}),
    ):
        seen.on_event(event, 0.0)
    assert plain(seen.collapsed(80)) == ["  ✗ read_file · It is not there. · 0.0 s"]
    assert seen.notes == ["! arbiter on box: It broke off.", "! Too long."]
    assert seen.settled


def test_a_specialist_that_could_not_be_asked_says_so_in_words() -> None:
    seen = live()
    seen.on_event(events.CallStarted("c1", "r", "arbiter", "consult_coding_specialist", {"query": "How so?"}), 0.0)
    seen.on_event(finished("c1", ok=False, text='{"success": false, "response": "No host can serve it.", "reasoning": ""}'), 1.0)
    assert plain(seen.collapsed(80)) == ["  ✗ consult_coding_specialist · No host can serve it. · 1.0 s"]


def test_a_stop_ends_everything_that_is_at_work() -> None:
    seen = live()
    for event in (*consult("c1", "coding", "r/1"), *consult("c3", "reasoning", "r/3", "r/1", 2)):
        seen.on_event(event, 0.0)
    seen.abandon(1.0)
    assert [line.split(" · ")[-2] for line in plain(seen.collapsed(80))] == ["stopped", "stopped"]


def test_lines_fit_whatever_stands_in_them() -> None:
    for width in (20, 40, 80):
        seen = live()
        seen.on_event(events.CallStarted("c1", "r", "arbiter", "tool", {"query": "漢字かな交じり文 👩‍💻 " * 20}), 0.0)
        assert all(wcswidth(line) <= width for line in plain(seen.lines(1.0, width)))
        assert plain(seen.lines(1.0, width))[0].endswith(" · 1.0 s")


def failed(lane: str, role: str, detail: str = "Nothing listens there.") -> events.ModelFailed:
    return events.ModelFailed("a", lane, role, f"{role}-model", "box", "host_unreachable", detail)


def test_what_a_host_said_is_told_once_in_a_turn() -> None:
    seen = live()
    for number, role in enumerate(("coding", "coding", "reasoning"), 1):
        for event in consult(f"c{number}", role, f"r:{number}"):
            seen.on_event(event, 1.0)
        seen.on_event(failed(f"r:{number}", role), 1.0)
    seen.on_event(failed("r/1", "coding", "It is busy."), 1.0)
    assert seen.notes == ["! coding on box: Nothing listens there.", "! coding on box: It is busy."]


def test_a_role_that_nobody_can_serve_is_told_once_in_a_session() -> None:
    unserved: set[str] = set()
    warned = events.Warned("coding (coding-model) cannot be asked.", ("coding=coding-model",))
    for turn in range(2):
        seen = Activity(lambda work: 0, unserved)
        seen.on_event(events.LaneOpened("r", "arbiter", Message("user", "Why?")), 0.0)
        seen.on_event(warned, 0.0)
        for event in consult("c1", "coding", "r/1"):
            seen.on_event(event, 1.0)
        seen.on_event(failed("r/1", "coding"), 1.0)
        seen.on_event(finished("c1", ok=False, text="Nothing listens there."), 1.0)
        assert seen.notes == ([] if turn else ["! coding (coding-model) cannot be asked."])
        assert seen.knows(warned.text)
        assert plain(seen.collapsed(80)) == ["  ✗ coding · coding-model · 0.0 s"]


def test_a_work_that_waits_shows_its_place_in_line_and_how_far_the_load_is() -> None:
    seen = live()
    for event in consult("c1", "coding", "r/1"):
        seen.on_event(event, 0.0)
    told = []
    steps = (("waiting", Outlook(2, 12.0)), ("loading", None), ("waiting", Outlook(0, 6.0, 0.4, "box")), ("reading", None))
    for kind, outlook in steps:
        seen.on_hint(Hint(kind, "coding", "r/1", "box" if kind != "waiting" or not outlook.position else "", 1, outlook), 1.0)  # type: ignore[union-attr, arg-type]
        told.append(plain(seen.lines(1.0, 100))[0][4:])
    assert [line.split(" · ")[1:3] for line in told] == [
        ["coding-model", "2nd in line, about 12 s"],
        ["coding-model on box", "loading"],
        ["coding-model on box", "loading 40 %, about 6 s"],
        ["coding-model on box", "reading"],
    ]

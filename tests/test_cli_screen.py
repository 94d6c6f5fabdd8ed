"""The screen: the answer is whole on stdout in all cases, and progress goes beside it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.cli.progress import RunDisplay
from mmos.events import CallFinished, CallStarted, LoopNoticed, ModelFailed, ModelReplied, RunStarted, Warned
from mmos.messages import Message, Usage
from mmos.scope import Hint


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(*, stream: bool = True, progress: bool = False, terminal: bool = False) -> RunDisplay:
    return RunDisplay(stream, progress, Terminal() if terminal else io.StringIO(), io.StringIO())


def token(text: str, depth: int = 0) -> Hint:
    return Hint("token", "arbiter", "r", text, depth)


TURN, RESTART = Hint("turn", "arbiter", "r"), Hint("restart", "arbiter", "r", "the connection broke")


def printed(on: RunDisplay) -> str:
    assert isinstance(on.out, io.StringIO)
    return on.out.getvalue()


def told(on: RunDisplay) -> str:
    assert isinstance(on.err, io.StringIO)
    return on.err.getvalue()


WORDS = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"]), max_size=12)


@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=6), st.sampled_from(["whole", "part", "other"]), st.booleans())
def test_the_answer_is_whole_on_stdout_however_much_was_streamed(before: list[str], pieces: list[str], how: str, stream: bool) -> None:
    on = screen(stream=stream)
    for piece in before:
        on.on_hint(token(piece))
    on.on_hint(TURN)
    for piece in pieces:
        on.on_hint(token(piece))
    streamed = "".join(pieces)
    answer = {"whole": streamed, "part": streamed + " and the rest", "other": "Something else: " + streamed[1:]}[how]
    on.finish(answer)
    out = printed(on)
    assert out.rstrip("\n").endswith(answer.rstrip("\n"))
    assert not out or out.endswith("\n")
    if not stream:
        assert out.rstrip("\n") == answer.rstrip("\n")


def test_an_answer_that_was_streamed_whole_is_not_printed_twice() -> None:
    on = screen()
    for hint in (TURN, token("All "), token("of it.")):
        on.on_hint(hint)
    on.finish("All of it.")
    assert printed(on) == "All of it.\n"


def test_words_beside_calls_and_the_answer_are_lines_of_their_own() -> None:
    on = screen()
    for hint in (TURN, token("Let me ask."), TURN, token("So.")):
        on.on_hint(hint)
    on.finish("So.")
    assert printed(on) == "Let me ask.\nSo.\n"


def test_an_answer_that_is_begun_anew_stands_whole_after_what_had_come() -> None:
    on = screen(progress=True)
    for hint in (TURN, token("Half of"), RESTART, token("A whole answer.")):
        on.on_hint(hint)
    on.finish("A whole answer.")
    assert printed(on) == "Half of\nA whole answer.\n"
    assert "MMOS tries again: the connection broke" in told(on)


def test_an_answer_with_its_long_parts_put_in_is_printed_whole() -> None:
    on = screen()
    for hint in (TURN, token("Here: "), token("artifact:ab-1")):
        on.on_hint(hint)
    on.finish("Here: the whole long text")
    assert printed(on) == "Here: artifact:ab-1\nHere: the whole long text\n"


def test_what_follows_the_streamed_part_is_printed_after_it() -> None:
    on = screen()
    on.on_hint(token("Short."))
    on.finish("Short.\n\n---\ncoding:\n\nlong")
    assert printed(on) == "Short.\n\n---\ncoding:\n\nlong\n"


@pytest.mark.parametrize("answer", [None, ""])
def test_without_an_answer_nothing_is_printed(answer: str | None) -> None:
    on = screen()
    on.finish(answer)
    assert printed(on) == ""


def test_only_the_arbiters_own_words_are_streamed() -> None:
    on = screen()
    on.on_hint(token("a specialist speaks", depth=1))
    on.finish("So.")
    assert printed(on) == "So.\n"


def test_progress_does_not_break_an_answer_that_goes_into_a_file() -> None:
    on = screen(progress=True)
    on.on_hint(token("One line "))
    on.on_event(Warned("look out"))
    on.on_hint(token("it stays."))
    on.finish("One line it stays.")
    assert printed(on) == "One line it stays.\n"
    assert told(on) == "  ! look out\n"


def test_at_a_terminal_progress_has_lines_of_its_own_and_control_signs_are_left_out() -> None:
    on = screen(progress=True, terminal=True)
    on.on_hint(token("One \x1b[2Jline"))
    on.on_event(Warned("look\x1b[31m out"))
    on.finish("One \x1b[2Jline")
    assert printed(on) == "One [2Jline\n"
    assert told(on) == "  ! look[31m out\n"


def test_what_a_host_said_is_told_once() -> None:
    on = screen(progress=True)
    for lane in ("r/1", "r/2"):
        on.on_event(ModelFailed("a", lane, "coding", "m", "box", "host_unreachable", "Nothing listens there."))
    assert told(on) == "  ! coding on box: Nothing listens there.\n"


def test_progress_is_silent_where_it_is_not_wanted() -> None:
    on = screen()
    on.on_event(Warned("look out"))
    assert told(on) == ""


def test_each_fact_that_matters_is_a_line() -> None:
    on = screen(progress=True)
    message = Message("tool", "no such\nthing")
    for event in (
        RunStarted("How?", "p"),
        CallStarted("c1", "r", "arbiter", "consult_coding_specialist", {"query": "How\nis it?", "context": "x"}),
        CallStarted("c2", "r", "arbiter", "look", {"at": 1, "deep": True}),
        CallFinished("c1", "r", "arbiter", "consult_coding_specialist", True, message, 1.5),
        CallFinished("c2", "r", "arbiter", "look", False, message),
        CallFinished("c3", "r", "arbiter", "consult", False, Message("tool", '{"success":false,"response":"no host","reasoning":""}')),
        ModelReplied("a1", "r/1", "coding", "m", "h", Message("assistant", "x"), Usage(output_tokens=7)),
        ModelReplied("a2", "r", "arbiter", "m", "h", Message("assistant", "x")),
        ModelFailed("a3", "r/1", "coding", "m", "h", "stream_cut", "it broke"),
        ModelFailed("a3", "r", "arbiter", "m", "", "cancelled", "cancelled"),
        LoopNoticed("r", "arbiter", "look", 4, "nudge"),
    ):
        on.on_event(event)
    assert told(on).splitlines() == [
        "arbiter → consult_coding_specialist: How is it?",
        "arbiter → look: at=1, deep=True",
        "  ✓ consult_coding_specialist · 1.5 s",
        "  ✗ look: no such thing",
        "  ✗ consult: no host",
        "  coding (m on h): 7 tokens",
        "  ! coding on h: it broke",
        "  ! arbiter calls look again, 4 times by now: nudge",
    ]

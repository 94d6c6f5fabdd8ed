"""The two channels: what a model is offered, what is read of its reply, and an answer that is heard while it is written."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mmos.calls.channels import MOST_CALLS, JsonTextStream, SchemaChannel, ToolsChannel, in_words
from mmos.calls.reading import CLEAR
from mmos.calls.spec import Spec
from mmos.messages import Message, Reply, ToolCall, Usage
from mmos.prompting.templates import Templates

LOOK = Spec("look", "Look at a file.", {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]})
CLOCK = Spec("clock", "Tell the time.")
SCHEMA = SchemaChannel((LOOK, CLOCK), "How:\n{{ tools }}")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def reply(content: str, *, done: str = "stop", calls: tuple[ToolCall, ...] = ()) -> Reply:
    return Reply(Message("assistant", content, calls), "m", "h", Usage(output_tokens=3), done)


def heard(raw: str, cuts: list[int]) -> str:
    """What a listener hears of a text that comes in pieces."""
    said: list[str] = []
    stream = JsonTextStream(said.append)
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(places):
        stream.feed(raw[start:end])
    assert "" not in said
    return "".join(said)


@st.composite
def spelled(draw: st.DrawFn, text: str) -> str:
    """A JSON string for the text, with any of the escapes that JSON allows."""
    signs = []
    for sign in text:
        units = sign.encode("utf-16-be")
        escaped = "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
        plain = json.dumps(sign, ensure_ascii=False)[1:-1]
        signs.append(draw(st.sampled_from([plain, escaped, escaped.upper().replace("\\U", "\\u"), "\\/" if sign == "/" else plain])))
    return '"' + "".join(signs) + '"'


# ---------------------------------------------------------------- an answer that is heard while it is written


@given(st.data(), TEXT, st.lists(st.integers(0)), st.sampled_from(["", " ", "\n\t "]))
@example(None, '\ud83d\ude00 😀"\\/\n'.encode("utf-16", "surrogatepass").decode("utf-16"), list(range(200)), "")
def test_any_answer_in_any_spelling_cut_anywhere_is_heard_whole(data: st.DataObject | None, text: str, cuts: list[int], gap: str) -> None:
    value = data.draw(spelled(text)) if data else json.dumps(text)
    raw = f'{gap}{{{gap}"answer"{gap}:{gap}{value}{gap}}}{gap}'
    assert json.loads(raw) == {"answer": text}
    assert heard(raw, cuts) == text


@given(
    st.dictionaries(TEXT.filter(lambda name: name != "answer"), st.one_of(TEXT, st.integers(), st.lists(TEXT)), max_size=3),
    st.lists(st.integers(0)),
)
@example({"ans wer": "x"}, [])
@example({" answer": "x"}, [])
@example({"answers": "x"}, [3])
def test_of_other_objects_nothing_is_heard(other: dict[str, Any], cuts: list[int]) -> None:
    assert heard(json.dumps(other, ensure_ascii=False), cuts) == ""


@pytest.mark.parametrize("raw", ['{"answer": 7}', '{"answer": ["x"]}', '["answer", "x"]', "plain text", '{"calls": [{"answer": "x"}]}', ""])
def test_of_what_is_no_answer_nothing_is_heard(raw: str) -> None:
    assert heard(raw, list(range(50))) == ""


def test_an_answer_that_breaks_off_is_heard_as_far_as_it_came() -> None:
    assert heard('{"answer": "Half of a wor', [5, 15]) == "Half of a wor"
    assert heard('{"answer": "so \\ud83d', []) == "so "


# ---------------------------------------------------------------- schema mode


def test_the_format_is_a_schema_that_takes_what_is_read_and_nothing_else() -> None:
    form = json.loads(SCHEMA.format)
    Draft202012Validator.check_schema(form)
    validator = Draft202012Validator(form)
    call = {"tool": "look", "arguments": {"path": "x"}}
    for good in ({"answer": "So."}, {"calls": [call]}, {"calls": [call, {"tool": "clock", "arguments": {}}]}):
        assert validator.is_valid(good)
        assert SCHEMA.read(reply(json.dumps(good))).unclear == CLEAR
    for bad in (
        {}, {"answer": 1}, {"calls": []}, {"calls": [call] * (MOST_CALLS + 1)}, {"answer": "x", "calls": [call]}, "So.",
        {"calls": [{"tool": "invented", "arguments": {}}]}, {"calls": [{"tool": "look", "arguments": {}}]}, {"calls": [{"tool": "look"}]},
    ):  # fmt: skip
        assert not validator.is_valid(bad)


def test_without_tools_only_an_answer_is_left() -> None:
    bare = SchemaChannel((), "How:\n{{ tools }}", none="(none)")
    validator = Draft202012Validator(json.loads(bare.format))
    assert validator.is_valid({"answer": "So."})
    assert not validator.is_valid({"calls": [{"tool": "look", "arguments": {}}]})
    assert bare.prompt == "How:\n(none)"


def test_the_model_is_told_every_tool_with_its_arguments() -> None:
    assert SCHEMA.prompt.startswith("How:\n- look: Look at a file.\n  arguments: {")
    assert "- clock: Tell the time." in SCHEMA.prompt


CALLS = st.lists(
    st.builds(ToolCall, st.just(""), st.sampled_from(["look", "clock"]), st.dictionaries(TEXT, TEXT, max_size=2)), min_size=1, max_size=3
)


@given(CALLS)
def test_calls_in_the_shape_that_is_sent_are_read_as_they_were(calls: list[ToolCall]) -> None:
    shaped = in_words(Message("assistant", "", tuple(calls)))
    assert (shaped.calls, shaped.role) == ((), "assistant")
    assert list(SCHEMA.read(reply(shaped.content)).message.calls) == calls


@given(TEXT.filter(str.strip))
def test_answers_in_the_shape_that_is_sent_are_read_as_they_were(text: str) -> None:
    shaped = in_words(Message("assistant", text))
    assert SCHEMA.read(reply(shaped.content)).message.content == text


def test_results_are_sent_as_words_of_the_user_and_his_own_as_they_are() -> None:
    shaped = in_words(Message("tool", "seen", tool_name="look", call_id="c1"))
    assert (shaped.role, shaped.content, shaped.call_id) == ("user", "Result of look:\n<<<\nseen\n>>>", "")
    own = Message("user", "How?")
    assert in_words(own) is own


def test_a_message_is_shaped_once_in_its_life() -> None:
    message = Message("assistant", "So.")
    assert in_words(message) is in_words(message)


@pytest.mark.parametrize(
    ("content", "done", "why"),
    [
        ('{"answer": "Half', "length", "was cut off"),
        ("Just words.", "stop", "was not valid JSON"),
        ("", "stop", "was not valid JSON"),
        ("[]", "stop", "neither"),
        ('{"calls": []}', "stop", "neither"),
        ('{"calls": [{"tool": 7}]}', "stop", "neither"),
        ('{"calls": [{"tool": "look", "arguments": [1]}]}', "stop", "neither"),
        ('{"answer": null}', "stop", "neither"),
        ('{"answer": "  "}', "stop", "empty"),
    ],
)
def test_what_cannot_be_read_is_said(content: str, done: str, why: str) -> None:
    reading = SCHEMA.read(reply(content, done=done))
    assert why in Templates().explain(reading.unclear)
    assert reading.message.calls == ()


# ---------------------------------------------------------------- the host's own tools


def test_tools_are_the_same_bytes_every_turn() -> None:
    channel = ToolsChannel((LOOK, CLOCK))
    assert channel.tools is channel.tools
    assert channel.tools == ToolsChannel((LOOK, CLOCK)).tools
    assert [tool["function"]["name"] for tool in json.loads(channel.tools)] == ["look", "clock"]
    assert (ToolsChannel().tools, channel.format) == (b"", b"")


def test_structured_calls_and_text_stand_as_they_came() -> None:
    channel = ToolsChannel((LOOK,))
    whole = reply("With words.", calls=(ToolCall("c1", "look", {}),))
    assert channel.read(whole).message is whole.message


def test_silence_is_unclear() -> None:
    assert ToolsChannel((LOOK,)).read(reply(" ")).unclear.text == "silent_call"
    assert ToolsChannel().read(reply("")).unclear.text == "empty_reply"
    assert ToolsChannel((LOOK,)).read(reply("", done="length")).unclear.text == "cut_off_reply"

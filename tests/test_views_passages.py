"""Which passages a run was given, and which numbers an answer cites."""

from __future__ import annotations

import json

import pytest

from mmos.encoding import decode, encode
from mmos.event import Event
from mmos.events import Entry
from mmos.library_events import PassagesFound, PassagesLeftOut
from mmos.views.passages import GivenPassages, cited_in
from mmos.views.run import RunView


def row(number: int, source: str = "a.md") -> dict[str, object]:
    return {
        "number": number,
        "collection": "docs",
        "source": source,
        "start": 0,
        "end": 9,
        "text": "The words",
        "path": "",
        "title": "",
        "score": 0.5,
    }


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It takes 60 s [2].", {2}),
        ("So it is [1, 3] and [5;6].", {1, 3, 5, 6}),
        ("Both say it [1][2].", {1, 2}),
        ("All of them [1-3], [5–6].", {1, 2, 3, 5, 6}),
        ("It is there [Passage 2].", {2}),
        ('"A whole sentence."[4]', {4}),
        ("`rows[1]` and a[1] and [text][2] and [1](https://a.b) are no citations.", set()),
        ("```python\nx = [1]\n```", set()),
        ("```python\nx = [1]", set()),
        ("~~~\n[3]\n~~~\nSo [4].", {4}),
        ("[1]: https://example.org", set()),
        ("[9-1] [1-9000]", {9, 1, 9000}),
        ("", set()),
    ],
)
def test_numbers_in_brackets_cite_and_code_does_not(text: str, numbers: set[int]) -> None:
    assert cited_in(text) == numbers


def test_a_json_answer_cites_in_its_texts_and_in_keys_that_say_so() -> None:
    assert cited_in(json.dumps({"answer": "60 s [2].", "values": [1, 3], "sources": [4, "[5]"], "ok": True})) == {2, 4, 5}
    assert cited_in("[1, 3]") == set()
    assert cited_in('{"no": json [1]}') == {1}


def test_sources_are_those_that_were_given_and_what_is_cited_comes_first() -> None:
    view = GivenPassages()
    view.apply(PassagesFound("arbiter", "q", "docs", passages=(row(1), row(2, "b.md"), row(3, "c.md"))))
    view.apply(PassagesLeftOut("arbiter", "arbiter", 2, 3))
    view.apply(PassagesFound("coding", "q", "docs", "call", "c1", (row(4), row(2, "b.md"))))
    assert view.numbers == {1, 2, 4}
    assert [(one["number"], one["cited"]) for one in view.documents("So it is [2] [3].")] == [(2, True), (1, False), (4, False)]
    assert view.of_lane("arbiter") is view.by_place["arbiter"]
    assert view.of_lane("coding") is None


def test_members_of_a_pattern_have_its_passages() -> None:
    view = GivenPassages()
    view.apply(PassagesFound("p1", "q", "docs", "pattern", passages=(row(1),)))
    assert [one["number"] for one in view] == [1]
    assert view.of_lane("p1/first") is not None
    assert view.of_lane("arbiter") is None


@pytest.mark.parametrize("odd", [7, "x", None, {}, {"number": "1"}, {"number": True}, {"number": -1}, {"number": 10**9}, ["number"]])
def test_what_a_stranger_wrote_in_place_of_a_passage_is_left_out(odd: object) -> None:
    event = decode(
        "passages_found", encode(PassagesFound("arbiter", "q", "docs", passages=(odd, {"number": 1, "source": 5, "start": "a"})))
    )  # type: ignore[arg-type]
    view = RunView.of([Entry("r", "t", 0.0, event, 1)])
    assert view.passages.documents("So it is [1].") == [{"collection": "", "source": "", "start": 0, "end": 0, "number": 1, "cited": True}]


@pytest.mark.parametrize(("given", "words"), [(3, "3 of 5 passages of the library fit"), (1, "1 of 5 passages of the library fits"), (0, "none of 5 passages of the library fit")])  # fmt: skip
def test_passages_without_room_are_a_warning(given: int, words: str) -> None:
    events: list[Event] = [PassagesLeftOut("arbiter", "arbiter", given, 5)]
    assert RunView.of(Entry("r", "t", 0.0, event, 1) for event in events).warnings == [f"arbiter: {words} its window"]

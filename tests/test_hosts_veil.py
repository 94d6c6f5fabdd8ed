"""Keys in what a host says: hidden in every spelling and in any pieces, and nothing else is."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.hosts.access import Access, Address
from mmos.hosts.faults import Site
from mmos.hosts.growing import call_ids
from mmos.hosts.ollama_stream import OllamaStream
from mmos.hosts.veil import Veil
from tests.hostile_host import SPELLINGS
from tests.wire import done, said

KEY = 'sk-Live/9f8e"7d+6c5b'


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_hidden(spell: object) -> None:
    written = spell(KEY)  # type: ignore[operator]
    shown = Veil([KEY]).over(f"I know {written} now")
    assert shown.startswith("I know ")
    assert shown.endswith(" now")
    assert written.lower() not in shown.lower()
    assert len(shown) < len("I know  now") + 12


@given(st.text(max_size=60).filter(lambda text: KEY.lower() not in text.lower()))
def test_what_holds_no_key_stays_as_it_is(text: str) -> None:
    assert Veil(["another-key-8812"]).over(text) == text
    assert Veil().over_all({"a": [text]}) == {"a": [text]}


@given(st.lists(st.integers(0, 40), max_size=6), st.booleans())
def test_a_key_in_pieces_is_never_told(cuts: list[int], loud: bool) -> None:
    whole = f"It is {KEY.upper() if loud else KEY}, so."
    ends = sorted({*(min(cut, len(whole)) for cut in cuts), len(whole)})
    tokens: list[str] = []
    answer = OllamaStream(Site("box", "http://x", "m", keys=Veil([KEY])), call_ids(random.Random(0)), tokens.append)
    for start, end in zip([0, *ends], ends, strict=False):
        answer.feed(said(whole[start:end]))
        assert KEY[:8].lower() not in answer.text.lower()
    answer.feed(done())
    assert "".join(tokens) == answer.reply().text == "It is ***, so."


def test_hidden_text_of_an_escape_bomb_comes_soon() -> None:
    veil = Veil([KEY, "Bearer " + KEY])
    for bomb in ("\\" * 200_000, "%" * 200_000, "&#0" + "0" * 200_000, "s\\" * 100_000, json.dumps("\\" * 100_000)):
        assert len(veil.over(bomb)) == len(bomb)


def test_what_is_secret_in_an_address() -> None:
    url = Address("http://me:hunter2@gpu1:8080/tenant-77/v1?token=t0k3n-abc", ("tenant-77", "t0k3n-abc"))
    access = Access.to("a", url, {"X-Api-Key": "12345678", "X-Route": "qwen2.5-coder:32b", "Accept": "application/json"})
    assert access.shown == "http://gpu1:8080/***/v1"
    assert str(access.base) == "http://gpu1:8080/tenant-77/v1"
    told = "hunter2 tenant-77 t0k3n-abc 12345678 qwen2.5-coder:32b application/json bWU6aHVudGVyMg=="
    assert access.veil.over(told) == "*** *** *** *** *** application/json ***"
    assert access.keys.over(told) == "*** *** *** *** qwen2.5-coder:32b application/json ***"  # an answer may speak of a model
    assert "hunter2" not in repr(access)


def test_a_whole_address_from_the_environment_keeps_what_is_no_secret() -> None:
    whole = "https://models.example.org/s3cret-part/v1"
    assert Access.to("a", Address(whole, (whole,)), {}).shown == "https://models.example.org/***/v1"
    assert Access.to("a", Address("http://gpu1:11434", ("gpu1",)), {}).shown == "http://gpu1:11434"

"""The profile of a log of a run that passed: it knows the forms of its lines, holds no text, and can be kept."""

from __future__ import annotations

import json

import pytest

from mmos.diagnosis import profile as profiles
from mmos.diagnosis.profile import Learner, Profile, profile

LOG = b"2026-04-22T16:11:48.3052808Z compiled 12 files\nsecret words of ours\nWARN slow: 3.1 s\n"


def test_it_knows_lines_that_differ_in_numbers_only() -> None:
    good = profile([LOG])
    assert good.lines == 3
    assert good.knows("compiled 99 files")
    assert good.knows("WARN slow: 12 s")
    assert not good.knows("compiled no files")


def test_it_can_be_kept_and_holds_no_text() -> None:
    good = profile([LOG])
    assert Profile.from_json(good.to_json()) == good
    assert "secret" not in good.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "lines": 1, "forms": []}',
        '{"version": 1, "lines": 1, "forms": ["a"]}',
        '{"version": 1, "forms": [1]}',
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"profile|Expecting"):
        Profile.from_json(text)


def test_it_is_bounded() -> None:
    learner = Learner()
    for start in range(3):
        learner.feed(
            "".join(
                f"{letter}{start}{one}{two} \n"
                for letter in "abcdefghijklmnopqrstuvwxyz"
                for one in "ghijklmnop"
                for two in "qrstuvwxyz" * 3
            ).encode()
        )
    assert len(learner.close().forms) <= profiles.FORMS
    assert len(json.loads(Profile(1, frozenset(range(2 * profiles.FORMS))).to_json())["forms"]) == 2 * profiles.FORMS
    assert len(Profile.from_json(Profile(1, frozenset(range(2 * profiles.FORMS))).to_json()).forms) == profiles.FORMS

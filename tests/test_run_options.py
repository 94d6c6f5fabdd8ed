"""Options of a run: a wrong value raises where it is given, and says what is allowed."""

from __future__ import annotations

import pytest

import mmos
from mmos.errors import UsageError


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("timeout", 0, 'found 0 (a whole number), allowed: seconds, more than 0, as a number or like "30s" or "5m".'),
        ("timeout", float("nan"), "found nan"),
        ("timeout", float("inf"), "found inf"),
        ("timeout", "5 minutes", "allowed: seconds"),
        ("max_turns", 0, "found 0 (a whole number), allowed: a whole number from 1 to 1000000."),
        ("max_turns", True, "found true (a boolean)"),
        ("max_calls", 1.5, "found 1.5 (a number), allowed: a whole number from 1 to 1000000."),
        ("system", 7, "allowed: a text."),
        ("on_question", "aks", 'found "aks" (a string), allowed: ask, fail, default or wait.'),
        ("roles", ["coding"], "found a list, allowed: roles with their models"),
        ("roles", {"coding": 7}, 'like {"coding": "qwen2.5-coder:7b@ollama01"}.'),
        ("sampling", {"temperature": None}, "allowed: options with their values"),
        ("sampling", {"coding.temperature": 9.9}, "coding.temperature: found 9.9 (a number), allowed: a number from 0 to 2."),
        ("sampling", {"coding.num_ctx": 4096}, "Set context_window in the configuration."),
    ],
)
def test_a_wrong_option_raises_where_it_is_given(name: str, wrong: object, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        mmos.RunOptions(**{name: wrong})  # type: ignore[arg-type]
    assert str(raised.value).startswith(f"RunOptions: {name}: ")
    assert said in str(raised.value)


def test_right_options_are_taken_and_kept_as_facts() -> None:
    options = mmos.RunOptions("1m30s", 3, 4, "Be brief.", "wait", {"coding": "x"}, {"temperature": 0, "coding.stop": ["a"]})
    assert options.timeout == 90.0
    assert mmos.RunOptions.of_facts(options.as_facts()) == options
    assert mmos.RunOptions(timeout=60).timeout == 60.0


def test_options_are_printed_without_prompts_and_in_short() -> None:
    assert repr(mmos.RunOptions(timeout=60, system="Be a pirate.")) == "RunOptions(timeout=60.0, system='12 characters')"
    many = mmos.RunOptions(roles={f"role{number}": "model" for number in range(100)})
    assert len(repr(many)) < 120

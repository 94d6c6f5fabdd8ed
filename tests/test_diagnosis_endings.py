"""What exit codes tell of signals and of time."""

from __future__ import annotations

import pytest

from mmos.diagnosis.endings import explained, signal_of


@pytest.mark.parametrize(
    ("code", "name"), [(None, None), (0, None), (1, None), (124, None), (128, None), (137, "SIGKILL"), (139, "SIGSEGV"), (255, None)]
)
def test_the_signal_of_an_exit_code(code: int | None, name: str | None) -> None:
    assert signal_of(code) == name


def test_a_signal_is_explained() -> None:
    assert explained(137, "make").startswith("SIGKILL ended it. If nobody sent it,")
    assert "core dump" in explained(139, "make")


def test_only_timeout_gives_the_code_of_timeout() -> None:
    assert "Its time was up" in explained(124, "timeout 1 sleep 5")
    assert explained(124, "make") == ""


def test_other_codes_tell_nothing() -> None:
    assert (explained(2, "timeout 1 make"), explained(None, ""), explained(200, "make")) == ("", "", "")

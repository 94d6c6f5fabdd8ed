"""Options that take a time read it as `orchestration.yaml` does."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from mmos.cli.chat.session import SessionOptions
from mmos.cli.main import mmos
from mmos.cli.options import seconds_of
from mmos.config.load import from_mapping


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("1.5", 1.5), ("30s", 30.0), ("5m", 300.0), ("1h30m", 5400.0), ("250ms", 0.25)]
)
def test_what_the_file_takes_the_command_line_takes(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    timed = {"model": "m", "timeout": text if text[-1] in "sm" else float(text)}
    assert from_mapping({"orchestration": {"arbiter": timed}}, environ={}).roles()["arbiter"].timeout == seconds
    options = SessionOptions()
    options.set("timeout", text, ())
    assert options.run_options().timeout == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "0s", "nan", "inf", "1e9", "soon", "5 m", "5x", "true", "m"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert seconds_of(text) is None


@pytest.mark.parametrize(
    "command",
    [("run", "--timeout"), ("chat", "--timeout"), ("runs", "resume", "--timeout"), ("runs", "answer", "--timeout"), ("hosts", "--watch")],
)
def test_each_command_says_what_a_time_looks_like(command: tuple[str, ...]) -> None:
    ended = CliRunner().invoke(mmos, [*command[:-1], f"{command[-1]}=soon", "x", "y"])
    assert ended.exit_code == 2
    assert "like 30s, 5m or 1h30m" in ended.output

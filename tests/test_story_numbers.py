"""Stories of the user's own numbers: what nothing can hold is wrong usage or a wrong configuration, and said before anything is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import mmos
from mmos.cli.main import main
from mmos.config.load import from_mapping
from mmos.errors import ConfigError, UsageError

HUGE = "99999999999999999999999"
NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    "change",
    [
        {"limits": {"turns": int(HUGE)}}, {"limits": {"tokens": int(HUGE)}}, {"arbiter": {"model": "m", "options": {"seed": int(HUGE)}}},
        {"arbiter": {"model": "m", "context_window": int(HUGE)}}, {"arbiter": {"model": "m", "keep_alive": int(HUGE)}},
        {"servers": {"a": {"url": "http://a", "parallel": int(HUGE)}}}, {"timeouts": {"load": int(HUGE)}}, {"conversation": {"max_models_per_conversation": int(HUGE)}},
    ],
    ids=str,
)  # fmt: skip
def test_one_of_the_configuration(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"found 99999999999999999999999 .*allowed: "):
        from_mapping({"orchestration": {"arbiter": {"model": "m"}, **change}}, environ={})


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--max-turns", HUGE, "x"), ("run", "--max-calls", HUGE, "x"), ("models", "warm", "m", "--window", HUGE), ("models", "test", "m", "--window", HUGE),
        ("runs", "list", "--limit", HUGE),
    ],
    ids=" ".join,
)  # fmt: skip
def test_one_of_the_command_line(command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "orchestration.yaml"
    file.write_text(yaml.safe_dump({"orchestration": {"servers": {"a": {"url": NOBODY}}, "arbiter": {"model": "m"}}}))
    with pytest.raises(SystemExit) as ended:
        main([*command, "-c", str(file)])
    assert ended.value.code == 2
    assert HUGE in capsys.readouterr().err


@pytest.mark.parametrize(
    "more",
    [{"num_ctx": int(HUGE)}, {"options": {"seed": int(HUGE)}}, {"tools": [{"name": "a", "parameters": {"default": int(HUGE)}}]}],
    ids=str,
)
async def test_one_from_python(more: dict[str, Any]) -> None:
    async with mmos.Fleet.open({"a": {"url": NOBODY}}) as fleet:
        with pytest.raises(UsageError):
            await fleet.ask("m", [{"role": "user", "content": "How is it?"}], **more)


def test_what_is_no_number() -> None:
    with pytest.raises(UsageError):
        mmos.RunOptions(sampling={"temperature": float("inf")})

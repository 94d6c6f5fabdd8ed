"""Lists in a pipe: a row is a line, and no line is longer than 200 cells, whatever people and models have written."""

from __future__ import annotations

import re
from pathlib import Path

from mmos.cli.text import cells
from mmos.testing import Model
from tests.shell import shell

TASK = "First\tword\r\nsecond \x1b[2J line \u202e 日本語の長い文章 " + "x" * 100_000
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]")


async def test_lists_in_a_pipe_have_one_bounded_line_a_row_and_json_has_everything(tmp_path: Path) -> None:
    name = "many-words-" * 11 + "model"
    async with shell(tmp_path, {"arbiter": Model(name, [])}) as at:
        assert (await at.mmos("run", "-", "--thread", "n" * 200, given=TASK.encode())).code == 0  # it is read in parts
        for command in (["runs", "list"], ["threads", "list"], ["models", "list"], ["hosts"]):
            listed = await at.mmos(*command)
            heads, row = listed.out.splitlines()
            assert max(cells(heads), cells(row)) <= 200, command
            assert row.endswith("…") or command[0] in ("models", "hosts")
            assert not CONTROL.search(listed.out)
        (kept,) = (await at.mmos("runs", "list", "--json")).document["runs"]
        assert kept["task"].endswith("x" * 100_000)

        found = await at.mmos("doctor", "--quick")
        assert max(len(line) for line in found.out.splitlines() if not line.lstrip().startswith("→")) <= 200

        chat = await at.mmos("chat", given=b"/threads\n")
        _, row = chat.out.splitlines()
        assert cells(row) <= 200
        assert not CONTROL.search(chat.out)

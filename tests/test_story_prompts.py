"""Stories of prompts: a user's own texts reach the models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from mmos.testing import Call
from tests.shell import Shell, shell

CONSULT = Call("consult_coding_specialist", {"query": "Write it."})


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Shell]:
    """A house with a specialist, an interpreter, and a folder for prompts that is still empty."""
    (tmp_path / "mine").mkdir()
    roles = {"arbiter": [CONSULT, "Written."], "coding": ["def it(): …"], "interpreter": []}
    changes = {"prompts": "mine", "arbiter": {"system": "Be brief."}, "specialists": {"coding": {"description": "writes code"}}}
    async with shell(tmp_path, roles, orchestration=changes) as here:
        yield here


async def test_a_folder_in_the_home_folder_is_found(at: Shell) -> None:
    """`config check` took `~/` for the home folder, and a run did not."""
    text = yaml.safe_load((at.folder / "orchestration.yaml").read_text())
    text["orchestration"]["prompts"] = "~/mine"  # the home of this shell is its folder
    (at.folder / "orchestration.yaml").write_text(yaml.safe_dump(text))
    (at.folder / "mine" / "brief.md").write_text("Just do it: {{ query }}")
    assert (await at.mmos("run", "Please.")).code == 0
    assert at.on.heard("coding") == ["Just do it: Write it."]

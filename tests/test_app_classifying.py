"""`App.classify`: the classes of MMOS and of the configuration, without a host."""

from __future__ import annotations

from pathlib import Path

import mmos

CONFIGURATION = """\
orchestration:
  arbiter: {model: "qwen2.5:14b", server: nowhere}
  routing:
    classes:
      haiku: {examples: ["Write a haiku about the sea", "a haiku on autumn", "Compose me a haiku for my sister"]}
"""


async def test_an_app_knows_its_own_classes(tmp_path: Path) -> None:
    (tmp_path / "orchestration.yaml").write_text(CONFIGURATION)
    async with mmos.open(tmp_path / "orchestration.yaml", state=tmp_path / "state") as app:
        assert app.classify("a haiku about rain").type == "haiku"
        assert app.classify("Fix the crash when the list is empty").type == "bug_fixing"

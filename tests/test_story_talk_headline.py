"""The story of the architecture document: two specialists find a cause and write the fix together, while the arbiter reviews."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.checkout import ROOT
from tests.shell import command

TASK = "Since the last release our service leaks memory: find the cause and write the fix."


async def test_two_specialists_find_the_cause_and_write_the_fix(tmp_path: Path) -> None:
    shutil.copy(ROOT / "orchestration.yaml", tmp_path)
    ran = await command(tmp_path, "run", "--rehearse", "-c", "orchestration.yaml", "--json", "--progress", TASK)
    assert ran.code == 0, ran.err
    document = ran.document
    (talk,) = document["conversations"]
    assert (talk["mode"], talk["participants"], talk["ended"]) == ("direct", ["coding", "reasoning"], "agreement")
    assert talk["reviews"] == {"passed": 3, "modified": 1, "redirected": 0, "dropped": 0}
    assert talk["noticed"] == []
    assert {who for one in talk["record"]["consensus"] for who in one["who"]} == {"coding", "reasoning"}
    assert document["answer"].count("def handle(self, request):") == 1
    assert "It needs no test" not in document["answer"]
    assert "message 1 modified by arbiter: It says that no test is needed, and nothing shows that." in ran.err
    assert "coding → reasoning (agree)" in ran.err
    await _the_journal_tells_it(tmp_path, document["run"])


async def _the_journal_tells_it(folder: Path, run: str) -> None:
    shown = (await command(folder, "runs", "show", run)).out
    assert "about: It needs no test." in shown
    assert "others read: The callbacks are added" in shown
    assert "what the arbiter thought before: Before I read anybody" in shown
    replayed = await command(folder, "runs", "replay", run)
    assert replayed.code == 0, replayed.out

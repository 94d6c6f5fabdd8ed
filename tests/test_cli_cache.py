"""`mmos cache`, and what other commands do about kept answers."""

from __future__ import annotations

from pathlib import Path

from mmos.cache.shelf import FILE
from mmos.testing import Model
from tests.shell import shell

CACHE = {"cache": {"exact": True}}


def counting() -> Model:
    return Model.scripted("arbiter", [f"Answer {number}." for number in range(1, 20)])


async def test_answers_are_kept_shown_and_forgotten(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": counting()}, orchestration=CACHE) as at:
        assert (await at.mmos("cache", "show")).err.startswith("No answer is kept in ")
        first = (await at.mmos("run", "Why?", "--json")).document
        again = (await at.mmos("run", "Why?", "--json")).document
        assert (again["answer"], again["usage"]["cached"]) == ("Answer 1.", 1)
        shown = (await at.mmos("runs", "show", again["run"])).out
        assert "arbiter (from the cache): Answer 1." in shown
        assert f"kept: the answer of here to the same request in run {first['run']}, which took " in shown
        placement = (await at.mmos("runs", "show", again["run"], "--json")).document["placements"][0]
        assert (placement["host"], placement["cached"]["of"]) == ("cache", "here")
        assert (await at.mmos("run", "Why?", "--no-cache")).out == "Answer 2.\n"
        (row,) = (await at.mmos("cache", "show", "--json")).document["models"]
        assert (row["model"], row["answers"], row["used"]) == ("arbiter:latest", 1, 0)
        assert (await at.mmos("cache", "clear")).code == 2
        assert (await at.mmos("cache", "clear", "--model", "other")).err == "Forgot 0 answers.\n"
        assert (await at.mmos("cache", "clear", "--model", "arbiter", "--json")).document == {"version": 1, "forgotten": 1}
        (tmp_path / ".mmos" / FILE).write_bytes(b"nonsense" * 100)
        broken = await at.mmos("cache", "show")
        assert (broken.code, "mmos cache clear --all" in broken.err) == (1, True)
        assert (await at.mmos("cache", "clear", "--all", "--yes")).err == "Forgot all answers.\n"
        assert not (tmp_path / ".mmos" / FILE).exists()


async def test_deleted_and_bad_runs_leave_no_answer_and_a_retry_gets_a_new_one(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": counting()}, orchestration=CACHE) as at:
        chat = await at.mmos("chat", given=b"Why?\n/retry\n/usage\n/why\n")
        assert ("Answer 1." in chat.out, "Answer 2." in chat.out) == (True, True)
        run = (await at.mmos("run", "Who?", "--json")).document["run"]
        used = (await at.mmos("run", "Who?", "--json")).document["run"]
        assert (await at.mmos("runs", "rate", used, "bad")).code == 0
        assert (await at.mmos("run", "Who?")).out == "Answer 4.\n"
        deleted = await at.mmos("runs", "delete", "--all", "--yes", "--json")
        assert (deleted.code, deleted.document["kept_answers"], run in deleted.document["deleted"]) == (0, 2, True)
        assert (await at.mmos("cache", "show")).err.startswith("No answer is kept in ")

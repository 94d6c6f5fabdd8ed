"""A file of cases becomes a verdict: nothing is asked twice, and what is there is compared when the command is stopped."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from mmos.rehearsal.prompt import Prompt
from mmos.testing import Call, Fault, until
from tests.shell import command, finish, shell


def write(path: Path, *lines: Any) -> None:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def sums(prompt: Prompt) -> str:
    return f"The answer is {int(prompt.messages[-1]['content'].split()[2]) + 1}."


def cases(count: int) -> list[dict[str, Any]]:
    return [{"id": f"c{number}", "question": f"What is {number} + 1?", "answer": number + 1} for number in range(count)]


COMPARE = ("models", "compare", "coding", "arbiter", "--cases", "cases.jsonl")


async def test_a_verdict_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    asks = [Call("escalate_to_user", {"question": "Which sum?"})]
    async with shell(tmp_path, {"arbiter": [*(["Zero."] * 7), asks], "coding": [sums] * 8}) as at:
        write(tmp_path / "cases.jsonl", *cases(8))
        ended = await at.mmos(*COMPARE, "--out", "out.jsonl", "--json", "--concurrency", "1")
        assert ended.code == 0
        [pair] = ended.document["pairs"]
        assert (pair["verdict"], pair["better"], pair["a_better"], ended.document["sides"][1]["failed"]) == ("better", "coding", 8, 1)
        assert ended.document["failures"][0]["id"] == "c7"
        lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [line["line"] for line in lines] == list(range(1, 17))
        assert (lines[0]["id"], lines[0]["side"], lines[0]["score"], lines[8]["score"]) == ("c0", "coding", 1.0, 0.0)
        assert lines[0]["gpu_seconds"] > 0
        assert lines[8]["why"] == "it has no number"
        write(tmp_path / "cases.jsonl", *({**case, "answer": "zero"} for case in cases(8)))  # what is expected is judged anew
        again = await at.mmos(*COMPARE, "--out", "out.jsonl", "--show-differences")
        assert again.code == 0
        assert "The comparison goes on: 16 of 16 answers are in out.jsonl." in again.err
        assert "arbiter is better than coding" in " ".join(again.out.split())
        assert "it does not say zero" in again.out
        assert "arbiter gave no answer to c7: failed: " in again.out
        assert len(at.on.heard("coding")) == len(at.on.heard("arbiter")) == 8
        scored = await at.mmos("models", "compare", "--scored", "out.jsonl", "--json")
        assert [(one["better"], one["b_better"]) for one in scored.document["pairs"]] == [("arbiter", 7)]


async def test_sides_and_cases_come_and_go_and_only_new_ones_are_asked(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Zero."] * 4, "coding": [sums] * 4, "analysis": [sums] * 4}) as at:
        write(tmp_path / "cases.jsonl", *cases(3))
        assert (await at.mmos(*COMPARE, "--out", "out.jsonl")).code == 0
        write(tmp_path / "cases.jsonl", *reversed(cases(4)))
        other = await at.mmos("models", "compare", "analysis", "coding", "--cases", "cases.jsonl", "--out", "out.jsonl", "--json")
        assert [side["right"] for side in other.document["sides"]] == [4, 4]
        assert [json.loads(line)["side"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == ["analysis"] * 4 + ["coding"] * 4
        back = await at.mmos(*COMPARE, "--out", "out.jsonl", "--json")  # the arbiter's answers are in the journal alone
        assert [side["right"] for side in back.document["sides"]] == [4, 0]
        assert [len(at.on.heard(role)) for role in ("arbiter", "coding", "analysis")] == [4, 4, 4]


async def test_ctrl_c_compares_what_is_there_and_the_same_command_goes_on(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Zero."] * 8, "coding": [sums] * 8}) as at:
        write(tmp_path / "cases.jsonl", *cases(8))
        at.on.host.faults.add(Fault("hang", after=10))
        running = await at.start(*COMPARE, "--out", "out.jsonl", "--concurrency", "1")
        await until(lambda: len(at.on.heard("arbiter")) == 3 and len((tmp_path / "out.jsonl").read_text().splitlines()) == 10)
        running.send_signal(signal.SIGINT)
        ended = await finish(running)
        assert ended.code == 130
        assert "mmos: Interrupted. This compares 10 of 16 answers. Go on with:" in ended.err
        assert "No difference can be seen between coding and arbiter with 2 cases" in ended.out
        at.on.host.faults.clear()
        whole = await at.mmos(*COMPARE, "--out", "out.jsonl", "--json")
        assert (whole.code, whole.document["pairs"][0]["cases"]) == (0, 8)
        assert (len(at.on.heard("coding")), len(at.on.heard("arbiter"))) == (8, 9)  # only the one that was cut off is asked again


async def test_scores_of_your_own_and_bad_lines(tmp_path: Path) -> None:
    rows = [{"id": n, "side": side, "score": score} for n in range(30) for side, score in (("new", 1), ("old", int(n % 2 == 0)))]
    given = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    ended = await command(tmp_path, "models", "compare", "--scored", "-", given=given)
    assert ended.code == 0
    assert "new is better than old new: right where the other is wrong on 15 of 30 cases" in " ".join(ended.out.split())
    write(tmp_path / "bad.jsonl", {"task": "x", "expect": 1}, {"expect": 1}, {"task": "y", "expect": {"pattern": "(("}})
    bad = await command(tmp_path, "models", "compare", "a", "b", "--cases", "bad.jsonl", "--json")
    assert bad.code == 2
    assert 'line 2: It has no "task".' in bad.document["reason"]["message"]
    assert "line 3: MMOS cannot match the pattern" in bad.document["reason"]["message"]

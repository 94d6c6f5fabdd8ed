"""Stories of `mmos diagnose` at the shell: a command, a log and JSON lines, with a scripted model over real HTTP and without any."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

from tests.shell import command, finish, shell, start
from tests.test_story_diagnose import CAUSE, GOOD, LOG

FAILING = "import sys; print('out'); print('dropping ::error::pwned'); print('::add-mask::x', file=sys.stderr); import yamll"
UNKNOWN = {"category", "cause", "evidence", "cure", "confidence"}


async def test_a_command_that_passes_is_passed_through_and_nothing_is_asked(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [], "reasoning": []}) as at:
        ended = await at.mmos("diagnose", "--", "sh", "-c", "cat; echo oops >&2", given=b"given\nno end")
        assert (ended.code, ended.out, ended.err) == (0, "given\nno end", "oops\n")
        assert at.on.sent("reasoning") == []


async def test_a_command_that_fails_is_explained_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    async with shell(tmp_path, {"arbiter": [], "reasoning": [GOOD, GOOD]}) as at:
        ended = await at.mmos("diagnose", "--", "sh", "-c", "cat log.txt; exit 7")
        assert (ended.code, ended.out) == (7, LOG)
        assert "The module 'yaml' is not installed." in ended.err
        assert f"{CAUSE} | ModuleNotFoundError" in ended.err
        assert "     pip install pyyaml" in ended.err
        assert "`sh -c 'cat log.txt; exit 7'` failed with exit code 7" in at.on.heard("reasoning")[0]
        ended = await at.mmos("diagnose", "--json", "--", "sh", "-c", "cat log.txt; exit 7", "--json")
        assert (ended.code, ended.err) == (7, LOG)
        document = ended.document
        assert (document["cause"], document["by"], document["exit_code"]) == ("The module 'yaml' is not installed.", "reasoning on here", 7)
        assert document["suggestions"][0] == {"kind": "command", "text": "Install it.", "command": "pip install pyyaml"}
        ended = await at.mmos("runs", "list", "--json")
        assert [run["run"] for run in ended.document["runs"]][-1] == document["run"]


async def test_without_a_host_the_exit_code_is_still_that_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "orchestration.yaml").write_text(
        'orchestration: {servers: {a: {url: "http://127.0.0.1:9"}}, arbiter: {model: m, server: a}}'
    )
    ended = await command(tmp_path, "diagnose", "--", "sh", "-c", "echo 'ModuleNotFoundError: No module named x'; exit 3")
    assert (ended.code, ended.out) == (3, "ModuleNotFoundError: No module named x\n")
    assert "IMPORT_ERROR" in ended.err
    assert "No model explains it:" in ended.err
    (tmp_path / "log").write_text("ModuleNotFoundError: No module named x\n")
    assert (await command(tmp_path, "diagnose", "--log", "log")).code == 4
    (tmp_path / "orchestration.yaml").write_text("orchestration: {oops: 1}")
    ended = await command(tmp_path, "diagnose", "--", "sh", "-c", "echo no; exit 3")
    assert ended.code == 3
    assert "orchestration.oops" in ended.err
    assert ". Fix it, then run" in ended.err


async def test_the_exit_code_is_that_of_the_command_whatever_happens_to_the_folder_and_to_stderr(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    lost = f"rmdir {shlex.quote(str(gone))}; echo 'error: the database is not there'; exit 3"
    ended = await command(gone, "diagnose", "--", "sh", "-c", lost)
    assert ended.code == 3
    assert "Cause: the database is not there" in ended.err
    assert "No model explains it:" in ended.err
    inner = shlex.join([sys.executable, "-m", "mmos", "diagnose", "--rules-only", "--", "sh", "-c", "exit 3"])
    assert (await command(tmp_path, "diagnose", "--rules-only", "--", "sh", "-c", f"{inner} 2>/dev/full")).code == 3
    ended = await command(tmp_path, "diagnose", "--rules-only", "--", "")
    assert (ended.code, "no such command" in ended.err) == (127, True)


async def test_the_place_in_the_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("x = 1\ndef f(:\n")
    ended = await command(tmp_path, "diagnose", "--rules-only", "--", "python3", "bad.py")
    assert "SYNTAX_ERROR" in ended.err
    assert "\nWhere: bad.py:2\n" in ended.err


async def test_a_signal_that_ended_the_command_is_named(tmp_path: Path) -> None:
    ended = await command(tmp_path, "diagnose", "--rules-only", "--", "sh", "-c", "echo building; exit 137")
    assert (ended.code, ended.out) == (137, "building\n")
    assert "failed with exit code 137 (SIGKILL)\nThe cause is not known." in ended.err
    assert "SIGKILL ended it. If nobody sent it," in ended.err


async def test_a_command_that_somebody_ends_is_not_explained(tmp_path: Path) -> None:
    script = "trap 'echo told; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    process = await start(tmp_path, "diagnose", "--rules-only", "--", "sh", "-c", script, cold=True)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    ended = await finish(process)
    assert (ended.code, ended.out, ended.err) == (9, "told\n", "")


async def test_a_command_that_stops_stops_mmos_and_goes_on_with_it(tmp_path: Path) -> None:
    script = "echo $$; kill -STOP $$; echo on; exit 4"
    process = await start(tmp_path, "diagnose", "--rules-only", "--", "sh", "-c", script, cold=True)
    assert process.stdout is not None
    child = int(await process.stdout.readline())
    async with asyncio.timeout(30):
        while "T" not in (_state(process.pid), _state(child)):
            await asyncio.sleep(0.01)
        while _state(process.pid) != "T":
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGCONT)
    ended = await finish(process)
    assert (ended.code, ended.out) == (4, "on\n")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_a_command_that_cannot_be_started_is_explained(tmp_path: Path) -> None:
    ended = await command(tmp_path, "diagnose", "--", "make test | tee log")
    assert (ended.code, ended.out) == (127, "")
    assert "mmos diagnose -- sh -c 'make test | tee log'" in ended.err
    ended = await command(tmp_path, "diagnose", "--json", "--", str(tmp_path))
    assert (ended.code, ended.document["exit_code"], ended.document["failed"]) == (126, 126, True)


async def test_a_document_is_printed_when_the_command_passes(tmp_path: Path) -> None:
    ended = await command(tmp_path, "diagnose", "--json", "--", "echo", "so", "--json")
    assert (ended.code, ended.err) == (0, "so --json\n")
    assert (ended.document["failed"], ended.document["name"]) == (False, "echo so --json")


# ---------------------------------------------------------------- in CI


async def test_github_shows_it_at_the_line_of_the_file_and_obeys_no_log(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a,b.py").write_text(FAILING)
    args = ("diagnose", "--rules-only", "--format", "github", "--", sys.executable, "app/a,b.py")
    ended = await command(tmp_path, *args, GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    _, _, said = ended.err.partition("No module named 'yamll'\n")
    commands = [line for line in said.splitlines() if line.lstrip().startswith("::")]
    assert commands[0].startswith("::error file=app/a%2Cb.py,line=1,title=")
    assert "IMPORT_ERROR" in commands[0]
    assert [line.partition("::")[2].partition(" ")[0].partition("::")[0] for line in commands] == ["error", "group", "endgroup"]
    assert "\x1b" not in said
    summary = (tmp_path / "summary.md").read_text()
    assert "IMPORT\\_ERROR" in summary
    assert "app/a,b.py:1" in summary
    assert (await command(tmp_path, "diagnose", "--format", "github", "--", "true")).err == ""


async def test_gitlab_gets_a_section_and_a_report(tmp_path: Path) -> None:
    (tmp_path / "start.py").write_text("import yamll\n")
    args = ("diagnose", "--rules-only", "--format", "gitlab", "--report", "quality.json", "--", sys.executable, "start.py")
    ended = await command(tmp_path, *args)
    assert ended.code == 1
    assert "section_start:" in ended.err
    assert "\x1b[0Ksection_end:" in ended.err
    (entry,) = json.loads((tmp_path / "quality.json").read_text())
    assert entry["location"] == {"path": "start.py", "lines": {"begin": 1}}
    assert entry["check_name"] == "mmos-diagnose/IMPORT_ERROR"


# ---------------------------------------------------------------- logs


async def test_a_log_from_a_pipe_and_one_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    piped = await command(tmp_path, "diagnose", "--rules-only", "--log", "-", "--json", given=LOG.encode())
    named = await command(tmp_path, "diagnose", "--rules-only", "--log", "log", "--json")
    assert (piped.code, named.code) == (0, 0)
    assert {**piped.document, "name": ""} == {**named.document, "name": ""}
    assert named.document["evidence"][0]["line"] == CAUSE
    shown = await command(tmp_path, "diagnose", "--select", "--log", "log", "--tokens", "100")
    assert "ModuleNotFoundError" in shown.out
    assert "ghp_" not in shown.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--log", "."], "is a directory"),
        (["--log", "none"], "no such file"),
        (["--log", "empty"], "is empty"),
        (["--select"], "Give one: --log FILE"),
        (["--log", "a", "RUN"], "cannot be used together"),
        (["--"], "The command after -- is missing"),
        (["--json", "--format", "github", "--log", "a"], "cannot be used together"),
        (["--jsonl"], "goes with one of --select and --rules-only"),
    ],
)
async def test_wrong_usage_is_said(tmp_path: Path, args: list[str], said: str) -> None:
    (tmp_path / "empty").touch()
    ended = await command(tmp_path, "diagnose", *args)
    assert ended.code in (1, 2)
    assert said in ended.err
    assert ended.out == "" or json.loads(ended.out)["status"] == "failed"


async def test_lines_in_and_lines_out(tmp_path: Path) -> None:
    rows = [{"id": 1, "log": LOG}, {"id": 2, "log": ""}, {"id": 3, "log": "all is well\n", "cause": "mine"}]
    given = "\n".join(["{bad", *map(json.dumps, rows)]).encode()
    (tmp_path / "cases.jsonl").write_bytes(given)
    for args, stdin in ((("--jsonl",), given), (("--jsonl", "cases.jsonl"), None)):
        ended = await command(tmp_path, "diagnose", "--rules-only", *args, given=stdin)
        bad, *answers = map(json.loads, ended.out.splitlines())
        assert (ended.code, list(bad)) == (1, ["error"])
        assert [answer.pop("id") for answer in answers] == [1, 2, 3]
        assert [set(answer) for answer in answers] == [UNKNOWN] * 3
        assert [answer["category"] for answer in answers] == ["IMPORT_ERROR", None, None]
    ended = await command(tmp_path, "diagnose", "--select", "--tokens", "200", "--jsonl", given=given)
    ranges = [json.loads(line) for line in ended.out.splitlines()][1:]
    assert any(first <= CAUSE <= last for first, last in ranges[0]["lines"])
    assert 0 < ranges[0]["tokens"] <= 200
    assert (ranges[1]["lines"], ranges[1]["tokens"]) == ([], 0)


async def test_the_name_of_a_command_keeps_no_secret(tmp_path: Path) -> None:
    ended = await command(tmp_path, "diagnose", "--rules-only", "--json", "--", "sh", "-c", "exit 1", "--password=hunter2hunter2")
    assert "hunter2" not in ended.out
    assert os.fspath(tmp_path) not in ended.document["name"]


NOISE = "warning: old code\nerror: a test of errors, expected\n"


async def test_what_a_command_printed_when_it_passed_explains_no_failure(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(NOISE)
    run = ("diagnose", "--rules-only", "--json", "--state", "state", "--", "sh", "-c", "cat log; test ! -e broken")
    assert (await command(tmp_path, *run)).code == 0
    async with asyncio.timeout(30):
        while not [path for path in (tmp_path / "state").rglob("*.json") if path.parent.name == "passed"]:
            await asyncio.sleep(0.02)
    assert "expected" not in "".join(path.read_text() for path in (tmp_path / "state" / "passed").iterdir())
    (tmp_path / "broken").write_text("")
    (tmp_path / "log").write_text(f"{NOISE}error: the door is locked\n")
    ended = await command(tmp_path, *run)
    assert ended.code == 1
    assert ended.document["evidence"][0]["line"] == 3
    (tmp_path / "good").write_text(NOISE)
    ended = await command(tmp_path, "diagnose", "--rules-only", "--json", "--log", "log", "--good", "good")
    assert ended.document["evidence"][0]["line"] == 3


async def test_a_good_log_that_cannot_be_read_is_said_before_the_command_runs(tmp_path: Path) -> None:
    ended = await command(tmp_path, "diagnose", "--good", "none", "--", "touch", "ran")
    assert ended.code == 2
    assert not (tmp_path / "ran").exists()


async def test_a_report_that_cannot_be_written_changes_no_exit_code(tmp_path: Path) -> None:
    ended = await command(tmp_path, "diagnose", "--rules-only", "--report", "no/such/folder", "--", "sh", "-c", "echo oops; exit 6")
    assert ended.code == 6
    assert "mmos: no/such/folder: no such file or directory." in ended.err


async def test_a_rehearsal_explains_the_first_error(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    ended = await command(tmp_path, "diagnose", "--rehearse", "--json", "--log", "log")
    assert (ended.code, ended.document["by"]) == (0, "qwen2.5:32b on ollama02, rehearsed")
    assert ended.document["evidence"][0]["line"] == CAUSE

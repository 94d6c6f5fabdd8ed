"""Stories of `mmos config check`: what `run` refuses it refuses, in the same words, and it runs nobody's code to find out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmos.cli.main import main
from mmos.rehearsal import Call, Host, Model
from tests.fleets import DEAD, Place, fleet_at

TOOLS = """\
import mmos
RAN = open("ran", "w")
LIMIT = 5

def shell(command: str) -> str:
    return command

@mmos.tool(name="look")
def find(path: str) -> str:
    return path

def every(*paths: str) -> str:
    return ""
"""
UNKNOWN = [
    (
        {"tools": ["nosuch:f"]},
        "orchestration.yaml:7: orchestration.tools[0]: 'nosuch:f' cannot be used: there is no module 'nosuch' beside",
    ),
    ({"tools": ["myools:shell"]}, "or on the import path; did you mean 'mytools'?"),
    ({"tools": ["mytools:shel"]}, "'mytools:shel' cannot be used: mytools.py has no function 'shel'; did you mean 'shell'?"),
    ({"tools": ["mytools:LIMIT"]}, "mytools.py, line 3: 'LIMIT' is not a function"),
    ({"tools": ["mytools:every"]}, "every: parameter 'paths' cannot be given by name"),
    ({"tools": ["torn:f"]}, "torn.py, line 1, is not valid Python: "),
    ({"tools": ["needy:f"]}, "needy.py, line 1, imports 'surely_not_installed', which is not installed"),
    ({"tools": ["json:no_such_function"]}, "'json:no_such_function' cannot be used: json/__init__.py has no function"),
    ({"tools": ["json.nothing:loads"]}, "there is no module 'nothing' in json"),
    ({"tools": ["mytools:shell", "mytools:shell"]}, ":7: orchestration.tools[1]: two tools are named 'shell'"),
]
PERMISSIONS = [
    ({"arbiter": {"model": "m", "tools": ["shell"]}}, ".arbiter.tools[0]: 'shell' matches no tool. Tools: consult_coding_specialist, "),
    (
        {"arbiter": {"model": "m", "tools": {"deny": ["escalate_to_usr"]}}},
        "'escalate_to_usr' matches no tool; did you mean 'escalate_to_user'?",
    ),
    (
        {"specialists": {"coding": {"model": "m", "tools": {"allow": ["find"]}}}, "tools": ["mytools:find"]},
        "coding.tools.allow[0]: 'find' matches no",
    ),
]
PROMPTS = [
    ({"prompts": "wrong"}, "wrong/brief.md:2: 'tsk' is not a place here; did you mean 'task'?"),
    ({"prompts": "latin"}, "latin/arbiter.md: prompts: cannot be read"),
]
RULES = [
    (
        {"routing": {"rules": [{"condition": "task.complexity > 12", "specialist": "coding"}]}},
        "this can never be true: task.complexity is from 1 to 10",
    ),
    ({"routing": {"rules": [{"condition": "task.type == 'x'", "specialist": "coding"}]}}, "'x' is not a class of tasks"),
    ({"routing": {"rules": [{"condition": "task.needs", "specialist": "codign"}]}}, 'found "codign" (a string)'),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "mytools.py": TOOLS, "torn.py": "def f(:\n", "needy.py": "import surely_not_installed\ndef f(): pass\n",
        "wrong/brief.md": "<!-- ours -->\nDo {{ tsk }}.", "latin/arbiter.md": "caf\udce9",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, changes: dict[str, Any]) -> None:
    tree = {"servers": {"gone": {"url": DEAD}}, "arbiter": {"model": "m"}, "specialists": {"coding": {"model": "m"}}, **changes}
    (folder / "orchestration.yaml").write_text(yaml.safe_dump({"orchestration": tree}, sort_keys=False, default_flow_style=None))


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.mark.parametrize(("changes", "said"), [*UNKNOWN, *PERMISSIONS, *PROMPTS, *RULES])
def test_what_run_refuses_check_refuses_in_the_same_words(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    write(folder, changes)
    checked, _, told = run(capsys, "config", "check")
    first = told.splitlines()[0].removeprefix("error: ")
    assert said in first
    code, out, err = run(capsys, "run", "--json", "hi")
    assert (code, checked) == (2, 2)
    assert json.loads(out)["reason"]["code"] == "config_invalid"
    assert err.splitlines()[0].removeprefix("mmos: ") == first
    assert not (folder / "ran").exists()


def test_the_doctor_says_the_same_and_runs_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"tools": ["mytools:shel"], "arbiter": {"model": "m", "tools": ["nothing"]}})
    code, out, _ = run(capsys, "doctor", "--json")
    found = {finding["code"]: finding for finding in json.loads(out)["findings"]}
    assert code == 1
    assert "did you mean 'shell'?" in str(found) + str(json.loads(out))
    assert found["config_unusable"]["subject"].startswith("orchestration.yaml:")
    assert not (folder / "ran").exists()


def test_hosts_that_are_off_and_models_that_are_not_there_are_warnings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"tools": ["mytools:shell", "mytools:find"], "arbiter": {"model": "m", "server": "gone", "tools": ["shell", "look"]}})
    code, out, err = run(capsys, "config", "check")
    assert (code, out) == (0, "orchestration.yaml is valid.\n")
    assert "warning: orchestration.yaml:3: orchestration.servers.gone: Nothing listens" in err
    assert run(capsys, "config", "check", "--offline", "-c", "orchestration.yaml") == (0, out, "")
    assert not (folder / "ran").exists()


async def test_a_model_that_a_host_lacks_is_named_with_its_line(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [Model("general:7b")]), roles={"coding": {"model": "nosuch:1b", "server": "one"}}) as at:
        shown = await at.mmos("config", "check", "--json")
    assert (shown.code, shown.document["ok"]) == (0, True)
    (finding,) = shown.document["findings"]
    assert (finding["level"], finding["key"]) == ("warning", "orchestration.specialists.coding.model")
    assert finding["where"].startswith("orchestration.yaml:")
    assert finding["message"] == "one does not have nosuch:1b; fetch it: mmos models pull nosuch:1b --host one"


@pytest.mark.parametrize(("judge", "message"), [
    ("codign", "no role has the name codign, and no host has such a model; did you mean 'coding'? Without it, no answer can be verified."),
    ("coding", ""), ("general:7b", ""), ("mine", ""),
])  # fmt: skip
async def test_a_judge_that_is_nowhere_is_named_with_its_line(tmp_path: Path, judge: str, message: str) -> None:
    keys = {"quality": {"judge": judge}, "models": {"mine": {"model": "general:7b"}}}
    async with fleet_at(tmp_path, Host("one", [Model("general:7b")]), roles={"coding": "general:7b"}, **keys) as at:
        found = (await at.mmos("config", "check", "--json")).document["findings"]
    assert [(one["key"], one["message"]) for one in found] == ([("orchestration.quality.judge", message)] if message else [])


async def test_a_model_of_a_rule_that_is_nowhere_is_named_with_its_line(tmp_path: Path) -> None:
    rules = [
        {"condition": f"task.complexity > {8 - index}", "model": name} for index, name in enumerate(["general:7b", "mine", "genral:7b"])
    ]
    keys = {"routing": {"rules": rules}, "models": {"mine": {"model": "general:7b"}}}
    async with fleet_at(tmp_path, Host("one", [Model("general:7b")]), **keys) as at:
        (finding,) = (await at.mmos("config", "check", "--json")).document["findings"]
    assert (finding["level"], finding["key"]) == ("warning", "orchestration.routing.rules[2].model")
    message = "no host has the model genral:7b; did you mean 'general:7b'? A run that meets this rule goes on without it."
    assert finding["message"] == message


async def test_what_only_an_import_can_tell_is_left_to_the_run(tmp_path: Path) -> None:
    (tmp_path / "made_tools.py").write_text(
        "from functools import wraps\ndef loud(f):\n    @wraps(f)\n    def made(text: str) -> str:\n        return f(text)\n    return made\n"
        "@loud\ndef shout(text: str) -> str:\n    return text.upper()\nglobals()['whisper'] = 7\n"
    )
    models = [Model.scripted("general:7b", [Call("shout", {"text": "hi"}), "Done."])]
    async with fleet_at(tmp_path, Host("one", models), tools=["made_tools:shout"]) as at:
        assert (await at.mmos("config", "check")).code == 0
        assert (await at.mmos("run", "--trust", "--json", "Shout.")).document["tools"] == [{"name": "shout", "calls": 1, "failed": 0}]
        Place(tmp_path, {"arbiter": {"model": "m"}, "tools": ["made_tools:whisper"]})
        assert (await at.mmos("config", "check", "--offline")).code == 0
        refused = await at.mmos("run", "--trust", "Hi.")
        assert refused.code == 2
        assert "orchestration.yaml:5: orchestration.tools[0]: 'made_tools:whisper' cannot be used: TypeError" in refused.err

"""`mmos quality`: an answer, a file of code, and JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

from tests.shell import command

WRONG = 'Like this.\n\n```python\nimport os\n\n\ndef f(name):\n    os.system("ls " + name)\n```\n'


async def test_an_answer(tmp_path: Path) -> None:
    (tmp_path / "answer.md").write_text(WRONG)
    ended = await command(tmp_path, "quality", "answer.md")
    assert ended.code == 1
    assert ended.out.splitlines()[0] == "fail  0.40  1 error"
    assert "error  injection  code block 1, line 5" in ended.out
    document = (await command(tmp_path, "quality", "--json", given=WRONG.encode())).document
    assert (document["version"], document["verdict"], document["findings"][0]["kind"]) == (1, "fail", "injection")
    ended = await command(tmp_path, "quality", "-", given=b"The answer is yes.\n")
    assert (ended.code, ended.out) == (0, "pass  1.00  nothing found\n")


async def test_a_file_of_code_and_what_came_with_the_question(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def load(path):\n    return path\n")
    (tmp_path / "use.py").write_text("from app import loads\n\nloads('a')\n")
    ended = await command(tmp_path, "quality", "use.py", "-f", "app.py")
    assert ended.code == 1
    assert "error  unknown_name  use.py:1" in ended.out
    assert "Perhaps load is meant." in ended.out
    ended = await command(tmp_path, "quality", "--question", "Explain it in one sentence.", given=b"It is a lock. It waits.\n")
    assert ended.code == 0
    assert "warning  unmet" in ended.out


async def test_json_lines(tmp_path: Path) -> None:
    rows = [
        json.dumps({"id": 7, "answer": WRONG, "verdict": "old"}),
        '{"answer": "Yes, it does.", "question": null, "files": {"a.py": "x = 1"}}',
        '{"answer": "Yes.", "files": {"a.py": 1}}',
        '{"text": "no answer"}',
        '{"answer": "\\ud800"}',
    ]
    ended = await command(tmp_path, "quality", "--jsonl", given="\n".join(rows).encode())
    answers = [json.loads(line) for line in ended.out.splitlines()]
    assert ended.code == 1
    assert (answers[0]["id"], answers[0]["verdict"], answers[0]["score"]) == (7, "fail", 0.4)
    assert set(answers[0]["findings"][0]) == {"kind", "severity", "where", "message", "cure", "quote"}
    assert [answer.get("verdict") for answer in answers[1:]] == ["pass", None, None, "pass"]
    assert '"files"' in answers[2]["error"]


async def test_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for args, words in (
        ([], "There is no answer to check."),
        (["none.md"], "none.md"),
        (["picture.png"], "is an image"),
        (["--jsonl", "none.jsonl"], "none.jsonl cannot be read: no such file or directory."),
        (["a.md", "--jsonl", "-"], "Leave FILE, --question and -f out."),
    ):
        ended = await command(tmp_path, "quality", *args)
        assert (ended.code, ended.out) == (2, ""), args
        assert words in ended.err

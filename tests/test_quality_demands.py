"""Checks of an answer against its question, its files, and its own end."""

from __future__ import annotations

import pytest

from mmos.quality.checks import check
from mmos.quality.finding import Subject

CODE = "```python\ndef add(a, b):\n    return a + b\n```\n"
FILES = {
    "app.py": "import json\n\n\ndef load(path):\n    return json.loads(path)\n",
    "docs/notes.md": "The cache is emptied every night at two.\n",
}


def kinds(question: str, answer: str, files: dict[str, str] | None = None) -> set[str]:
    return {finding.kind for finding in check(Subject(question, answer, files or {})) if finding.severity != "note"}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Explain a mutex in one sentence.", "A mutex is a lock. Only one thread holds it. Others wait."),
        ("Explain a mutex in at most 10 words.", "A mutex is a lock that only one thread at a time can hold while the others wait for it."),
        ("Give me five reasons to use Rust.", "1. It is fast.\n2. It is safe.\n3. It is small.\n"),
        ("Reply only with JSON: name and age.", "The name is Ada and the age is 36."),
        ("Compare lists and tuples in a table.", "A list can be changed, and a tuple cannot be changed."),
        ("Write a Python function that adds two numbers, with unit tests.", f"Here it is.\n\n{CODE}"),
        ("Write a function in Go that adds two numbers.", f"Here it is.\n\n{CODE}"),
        ("Write a Python function named `total` that adds two numbers.", f"Here it is.\n\n{CODE}"),
        ("Write a function that adds two numbers.", "You add the two numbers with the plus sign, and then you return the sum."),
        (
            "Was ist der Unterschied zwischen einer Liste und einem Tupel, und wann nehme ich die Liste?",
            "A list can be changed and a tuple is fixed. You use the list when the items change, and the tuple for records.",
        ),
    ],
)
def test_what_the_question_asks_for_is_missing(question: str, answer: str) -> None:
    assert kinds(question, answer) == {"unmet"}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Explain a mutex in one sentence.", "A mutex is a lock that only one thread holds, e.g. while it writes."),
        ("Give me three reasons to use Rust.", "1. It is fast.\n2. It is safe.\n3. It is small.\n"),
        ("Reply only with JSON: name and age.", '{"name": "Ada", "age": 36}'),
        (
            "Write a function in Python that parses JSON.",
            "```python\nimport json\n\n\ndef parse(text):\n    return json.loads(text)\n```\n",
        ),
        ("Compare lists and tuples in a table.", "| list | tuple |\n|---|---|\n| changes | is fixed |\n"),
        ("Write a Python function named `add`, with tests.", f"{CODE}\n```python\ndef test_add():\n    assert add(1, 2) == 3\n```\n"),
        ("Convert this Java class to Python.", CODE),
        ("How do I create a table in SQL?", "```sql\nCREATE TABLE a (id INT);\n```\n"),
        ("Translate to German: The list is empty and the file is not there.", "Die Liste ist leer, und die Datei ist nicht da."),
    ],
)
def test_what_the_question_asks_for_is_there(question: str, answer: str) -> None:
    assert kinds(question, answer) == set()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("The fault is in `app.py:5`, where the path is parsed.", set()),
        ("The fault is in app.py:50, where the path is parsed.", {"citation"}),
        ("The fault is in server.py:5, where the path is parsed.", {"citation"}),
        ('The notes say that "the cache is emptied every night at two".', set()),
        ('The notes say: "the cache is emptied every morning at seven by cron".', {"citation"}),
        ("The function returns early [7].", {"citation"}),
        ("The function returns early [1].\n\n[1]: https://docs.python.org/3/", set()),
        ("You can call it.\n\n```python\nfrom app import load\n\nprint(load('a'))\n```\n", set()),
        ("You can call it.\n\n```python\nfrom app import load_all\n\nprint(load_all('a'))\n```\n", {"unknown_name"}),
        ("You can call it.\n\n```python\nimport app\n\nprint(app.read('a'))\n```\n", {"unknown_name"}),
    ],
)
def test_what_is_said_of_the_given_files(answer: str, found: set[str]) -> None:
    assert kinds("What does it do?", answer, FILES) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("", {"empty"}),
        ("I'm sorry, but I can't help with that.", {"refusal"}),
        ("The lock is held by one thread only, and others wait. " * 9, {"repetition"}),
        ("```python\ndef f(x):\n    # rest of the code here\n    return x\n```\n", {"placeholder"}),
        ("```js\nfunction f() {\n  // your code here\n}\n```\n", {"placeholder"}),
        ("```js\nfunction f() {\n  // the rest of the list is sorted\n}\n```\n", set()),
        ("Use it like this:\n\n```sh\nls\n```", set()),
        ("Use `ls` (see the manual).\n\n- Short\n- Small", set()),
    ],
)
def test_answers_that_say_nothing_or_leave_something_out(answer: str, found: set[str]) -> None:
    assert kinds("", answer) == found


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("names = []\nfor line in lines:\n    if line in names:\n        print(line)\n    names.append(line)", "performance"),
        ("text = ''\nfor line in lines:\n    text += line", "performance"),
        ("for user in users:\n    cursor.execute('SELECT a FROM b WHERE c = ?', (user,))", "performance"),
        ("for line in lines:\n    found = re.compile('a+').match(line)", "performance"),
        ("while queue:\n    item = queue.pop(0)", "performance"),
        ("try:\n    f()\nexcept:\n    pass", "style"),
        ("def f(items=[]):\n    return items", "style"),
        ("import os\n\n\ndef f(x):\n    return x == None", "style"),
    ],
)
def test_slow_and_odd_code_gets_a_note(code: str, kind: str) -> None:
    found = check(Subject("", f"Like this.\n\n```python\n{code}\n```\n"))
    assert {(finding.kind, finding.severity) for finding in found} == {(kind, "note")}

"""Checks without a model: planted faults are found, clean answers pass, and no answer takes long."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path
from time import process_time

import bench_quality
import pytest

from mmos.quality.checks import KINDS, check, skipped
from mmos.quality.finding import Finding, Subject
from mmos.quality.score import passes, score_of
from tests.checkout import ROOT
from tests.quality_faults import Planted, block, planted
from tests.quality_written import clean, with_faults

SHARE = 0.95


def alarms(subject: Subject) -> list[Finding]:
    return [finding for finding in check(subject) if finding.severity != "note"]


def is_found(subject: Subject, kinds: tuple[str, ...]) -> bool:
    return any(finding.kind in kinds for finding in alarms(subject))


def test_planted_faults_are_found() -> None:
    cases = planted()
    missed = [case.name for case in cases if not is_found(case.subject, case.kinds)]
    assert len(cases) >= 200
    assert len(missed) <= (1 - SHARE) * len(cases), missed


@pytest.mark.parametrize("kind", sorted({case.kinds[0] for case in planted()}))
def test_each_class_of_faults_is_found(kind: str) -> None:
    cases: list[Planted] = [case for case in planted() if case.kinds[0] == kind]
    missed = [case.name for case in cases if not is_found(case.subject, case.kinds)]
    assert len(missed) <= (1 - SHARE) * len(cases) + 0.5, missed


def test_answers_with_faults_by_hand_are_found() -> None:
    rows = with_faults()
    missed = [subject.answer for subject, kinds in rows if not is_found(subject, kinds)]
    assert len(missed) <= (1 - SHARE) * len(rows), missed


def test_clean_answers_by_hand_pass() -> None:
    assert [(subject.answer, found) for subject in clean() if (found := alarms(subject))] == []


def test_clean_code_of_the_standard_library_passes() -> None:
    cases = bench_quality.clean(
        [Path(sysconfig.get_path("stdlib"), name) for name in ("email", "json", "http", "logging", "wsgiref")], 60, seed=4
    )
    found = [(case.name, alarmed) for case in cases if (alarmed := alarms(case.subject))]
    assert len(cases) == 60
    assert len(found) <= 0.02 * len(cases), found


def test_a_finding_says_where_what_and_what_to_do() -> None:
    answer = "Two blocks.\n\n```python\nx = 1\n```\n\n```python\nimport os\n\n\ndef f(name):\n    os.system('ls ' + name)\n```\n"
    (finding,) = check(Subject("", answer))
    assert (finding.kind, finding.severity, finding.where, finding.by) == ("injection", "error", "code block 2, line 5", "check")
    assert finding.message
    assert finding.cure
    assert finding.quote == "os.system('ls ' + name)"


@pytest.mark.parametrize("before", ["`src/app.py`:\n", "**src/app.py**\n", "### src/app.py\n", "File: `src/app.py`:\n"])
def test_a_block_is_named_after_its_file(before: str) -> None:
    (finding,) = check(Subject("", f"{before}```python\nx = (\ny = 2\n```\n"))
    assert finding.where == "src/app.py:1"


def test_score_and_verdict() -> None:
    error, warning, note = (Finding("syntax", severity, "", "wrong") for severity in ("error", "warning", "note"))
    assert score_of([]) == 1.0
    assert score_of([error]) < 0.5 < score_of([warning]) < score_of([note]) < 1.0
    assert score_of([error, error]) < score_of([error])
    assert passes([warning, note])
    assert not passes([note, error])


def test_every_kind_that_is_found_is_listed() -> None:
    subjects = [*(case.subject for case in planted()), *(subject for subject, _ in with_faults())]
    assert {finding.kind for subject in subjects for finding in check(subject)} <= set(KINDS)


def test_the_documentation_lists_the_kinds() -> None:
    page = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
    table = page.split("| kind | what it means |")[1].split("\n\n")[0]
    assert {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])} == set(KINDS)


def test_all_languages_are_parsed_here() -> None:
    assert skipped(Subject("", "".join(block(tag, "x") for tag in ("js", "java", "go", "python", "sh")))) == ()


def test_a_name_that_is_made_of_itself() -> None:
    code = "from pathlib import Path\n\n\ndef read(path):\n    path = Path(path)\n    path = path\n    return path.read_text()"
    assert alarms(Subject("", block("python", code))) == []


HOSTILE = {
    "a line": "a" * 500_000,
    "fences": "```\n" * 100_000,
    "blocks": "```python\nx = (\n```\n" * 2_000,
    "brackets": f"```python\n{'(' * 100_000}\n```",
    "signs": f"```python\nx = {'-' * 100_000}1\n```",
    "sums": f"```python\nx = {'1+' * 100_000}1\n```",
    "calls": f"```python\nx{'()' * 50_000}\n```",
    "JSON": f"```json\n{'[' * 100_000}\n```",
    "YAML": f"```yaml\n{'[' * 100_000}\n```",
    "JavaScript": f"```js\n{'(' * 59_000}\n```",
    "assignments": "```python\ndef f(a):\n" + '  q = "SELECT a FROM b WHERE c = " + q + a\n  c.execute(q)\n' * 700 + "```",
    "imports": "```go\nimport (\n" + '"strings"\n' * 5000 + ")\nfunc f() { strings.Foo() }\n```",
    "calls in C": "```c\n" + f"{'.a(' * 250}\n" * 40 + "```\n",
    "PHP": "```php\n" + 'sprintf("SELECT a FROM b ' + "%s " * 180 + "\n```\n",
    "lines of PHP": "```php\n" + ('sprintf("SELECT a FROM b ' + "%s " * 180 + "\n") * 40 + "```\n",
    "SQL": "```js\n" + '"SELECT a FROM ' * 12_000 + "\n```",
    "names": "password = " * 20_000,
    "tokens": "sk-" * 100_000,
    "keys": "-----BEGIN PRIVATE KEY-----\n" * 10_000,
    "half characters": "\ud800" * 1000 + "```python\n\ud800 = '\ud800'\n```",
    "no characters": "```python\n\0\n```",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_answer_takes_long(name: str) -> None:
    begun = process_time()
    check(Subject("Write it in Python with tests, in one sentence.", HOSTILE[name], {"a.py": "x = 1\n" * 1000}))
    assert process_time() - begun < 2


def test_a_passage_that_the_answer_may_cite_is_no_fault() -> None:
    question, answer = "How long may a host take?", "A host may take 90 seconds [1]."
    assert [finding.kind for finding in alarms(Subject(question, answer))] == ["citation"]
    assert alarms(Subject(question, answer, passages=frozenset({1, 2}))) == []
    assert [finding.kind for finding in alarms(Subject(question, "It is so [7].", passages=frozenset({1, 2})))] == ["citation"]

"""The classifier: what it says about requests that it was not trained on, why, and that no text takes it long."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.choice.classifier import classify
from mmos.choice.weights import shipped
from mmos.config.facts import TASK_CLASSES

REQUESTS = Path(__file__).parent / "golden"
"""Files with a class and a request in each line. The training sees none of them."""


def requests(*names: str) -> list[tuple[str, str]]:
    lines = [line for name in names or FILES for line in (REQUESTS / name).read_text(encoding="utf-8").splitlines()]
    return [(kind, text.replace("\\n", "\n")) for kind, _, text in (line.partition("|") for line in lines)]


FILES = ("choice_requests.txt", "choice_fresh.txt", "choice_fresh2.txt")


@pytest.mark.parametrize(("names", "least"), [(FILES[:1], 0.95), (FILES[1:], 0.91)], ids=["older", "fresh"])
def test_most_requests_are_right(names: tuple[str, ...], least: float) -> None:
    found = [kind == classify(text).type for kind, text in requests(*names)]
    assert sum(found) / len(found) >= least


def test_confidence_means_what_it_says() -> None:
    found = [(kind == said.type, said.confidence) for kind, said in ((kind, classify(text)) for kind, text in requests())]
    for low, high in ((0.5, 0.86), (0.86, 0.94), (0.94, 1.0)):
        these = [(right, confidence) for right, confidence in found if low <= confidence < high]
        right, mean = (sum(values) / len(these) for values in zip(*these, strict=True))
        assert len(these) > 30
        assert -0.04 <= right - mean <= 0.12  # rather too doubtful than too sure
    assert sum(confidence >= 0.9 for _, confidence in found) > len(found) / 2


def test_the_table_has_the_classes_of_the_rules() -> None:
    assert shipped().classes == TASK_CLASSES
    assert {len(row) for row in shipped().of.values()} == {len(TASK_CLASSES)}


def test_it_says_which_words_speak_for_a_class() -> None:
    found = classify("Check this handler for SQL injection.")
    assert found.type == "security_review"
    assert "'SQL injection'" in found.why or "'injection'" in found.why
    assert sum(found.chances.values()) == pytest.approx(1, abs=0.01)


def test_reasons_are_short_and_count_as_people_do() -> None:
    found = classify("0." * 2000)
    assert any("0.0.…'" in reason for reason in found.why)
    assert all(len(reason) < 90 for reason in found.why)
    assert "complexity 2: 1 word, 'readme'" in classify("README").why


@pytest.mark.parametrize("text", ["", " \n\t ", "\x1b\x00", "。。。", "?! ..."])
def test_a_text_without_words_has_no_class(text: str) -> None:
    found = classify(text)
    assert (found.type, found.confidence, found.sure) == (None, 0.0, False)


@pytest.mark.parametrize("text", ["asdf qwer zxcv", "лошадь", "blue table seven"])
def test_a_text_that_says_nothing_is_a_guess(text: str) -> None:
    assert not classify(text).sure


@pytest.mark.parametrize(
    "text",
    [
        "Warum stürzt mein Programm beim Start ab?",
        "Was ist der Unterschied zwischen einem Prozess und einem Thread?",
        "¿Cuál es la diferencia entre un proceso y un hilo?",
        "¿Por qué falla mi programa al iniciar?",
        "如何在Python中反转一个列表?",
        "请解释一下这段代码是做什么的。",
        "Quelle est la capitale de la France ?",
    ],
)
def test_another_language_is_a_guess(text: str) -> None:
    assert not classify(text).sure


def test_a_title_is_less_sure_than_a_request() -> None:
    title, asked = (classify(text) for text in ("refactor retry handling in client", "Please refactor the retry handling in our client."))
    assert title.type == asked.type == "refactoring"
    assert title.confidence < asked.confidence


def test_the_tokens_of_a_long_text_are_estimated_by_samples() -> None:
    line = "2024-03-01 12:00:00 INFO worker 7 took 12 ms\n"
    short, long = (classify(line * count).context_tokens for count in (400, 40_000))
    assert long == pytest.approx(100 * short, rel=0.02)


def test_code_and_traces_in_a_request_do_not_speak_for_it() -> None:
    code = "\n```python\ndef fix_readme():\n    # explain the security bug\n    raise ValueError('refactor')\n```"
    assert classify(f"Explain what this code does.{code}").type == "code_analysis"
    assert classify(f"Write a docstring for this function.{code}").type == "documentation"
    assert classify(f"Rewrite this with early returns.{code}").type == "refactoring"


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("Fix it:\n```py\nx = 1\n```", ("python",)),
        ("Port src/main.go to Rust.", ("go", "rust")),
        ("Write it in C, please", ("c",)),
        ("Go to the next page and see plan C", ()),
        ("What is this?\nconst f = (a) => {\n  console.log(a);\n};", ("javascript",)),
        ("Explain:\n#include <stdio.h>\nint main(void) {\n  printf(name);\n}", ("c",)),
        ("SELECT name FROM users WHERE id = 3", ("sql",)),
        ("What is the capital of Peru?", ()),
    ],
)
def test_languages(text: str, languages: tuple[str, ...]) -> None:
    assert classify(text).languages == languages


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("Urgent: production is down, find the cause.", "requires_speed"),
        ("Quick question: what is a mutex?", "requires_speed"),
        ("Quickly: what is a mutex?", "requires_speed"),
        ("Look at the screenshot and build this page.", "needs_vision"),
        ("Run the tests in this repository and make them green.", "needs_tools"),
        ("Refactor the whole code base to async.", "needs_long_context"),
        ("Explain quicksort.", ""),
        ("Resize images in a folder with FastAPI.", ""),
    ],
)
def test_needs(text: str, needs: str) -> None:
    found = classify(text)
    flags = {name: getattr(found, name) for name in ("requires_speed", "needs_vision", "needs_long_context")}
    assert getattr(found, needs) if needs else not any(flags.values())


def test_a_long_text_needs_a_long_context() -> None:
    found = classify("Summarize this log.\n" + "INFO worker 7 took 12 ms\n" * 5000)
    assert found.needs_long_context
    assert found.context_tokens > 30_000


HARD = """Build a distributed job scheduler. It must survive the loss of a node, must not run a job twice, and should support priorities.
Take care of clock drift and of rolling upgrades without downtime. It has to scale to several clusters, with encryption."""


def test_hard_tasks_are_more_complex_than_easy_ones() -> None:
    texts = ("What is a mutex?", "Write a function that sorts users by name.", HARD)
    easy, middle, hard = (classify(text).complexity for text in texts)
    assert easy < middle < hard
    assert easy <= 2
    assert hard >= 8


@pytest.mark.parametrize(
    "piece",
    ["-", "a.", "\n", "a=(", "<a ", "x:1:", "`", "```\n", ";x", "def f(x):\n", "a/b-c.", "at x.y(\n", "quick ", "A_B", "* a\n", "\ud800"],
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * 100_000
    times = []
    for _ in range(3):
        begun = perf_counter()
        classify(text)
        times.append(perf_counter() - begun)
    assert min(times) < 0.1  # the limit is 10 ms; a test must also pass on a busy machine


@given(st.text(max_size=300))
def test_any_text_gets_an_answer_in_range(text: str) -> None:
    found = classify(text)
    assert found.type in (None, *TASK_CLASSES)
    assert 0 <= found.confidence <= 1
    assert 1 <= found.complexity <= 10

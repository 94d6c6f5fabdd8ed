"""What a rehearsed judge finds: it knows the known answers, and plain mistakes in others."""

from __future__ import annotations

import orjson

from mmos.judging.canaries import shipped
from mmos.judging.rubric import SCHEMA, read
from mmos.prompting.templates import Templates
from mmos.rehearsal.prompt import Prompt
from mmos.rehearsal.verdict import judged

TEMPLATES = Templates()


def prompt(text: str, *, format_: object = SCHEMA) -> Prompt:
    messages = [{"role": "system", "content": TEMPLATES.fill("judge")}, {"role": "user", "content": text}]
    return Prompt("m", messages, format=format_)


def test_it_is_right_about_the_known_answers() -> None:
    wrong = []
    for canary in shipped():
        text = TEMPLATES.fill("judge_answer", before="none", question=canary.question, answer=canary.answer, findings="none")
        said = judged(prompt(text))
        assert said is not None
        if not canary.is_right(read(orjson.loads(said), canary.question, canary.answer, "m")):
            wrong.append(canary.name)
    assert wrong == []


def test_it_has_no_opinion_of_two_answers_and_none_without_a_question() -> None:
    said = judged(prompt(TEMPLATES.fill("judge_two", question="How?", one="So it is.", two="Or so.")))
    assert orjson.loads(said or "") == {
        "quote": "So it is.",
        "why": "A rehearsal of a judge does not see which is better.",
        "better": "same",
    }
    assert judged(prompt("Hello", format_=None)) is None
    assert judged(Prompt("m", [{"role": "user", "content": "Hello"}], format=SCHEMA)) is None


def test_a_wrong_sum_is_quoted() -> None:
    text = TEMPLATES.fill(
        "judge_answer", before="none", question="What is 2 + 3 * 4?", answer="2 + 3 * 4 = 20 (rehearsed)", findings="none"
    )
    assert orjson.loads(judged(prompt(text)) or "")["correct"]["fault"] == "It is 14."


def test_code_that_cannot_be_parsed_is_bad() -> None:
    text = TEMPLATES.fill("judge_answer", before="none", question="Write f.", answer="```python\ndef f(:\n```", findings="none")
    assert orjson.loads(judged(prompt(text)) or "")["correct"]["verdict"] == "bad"

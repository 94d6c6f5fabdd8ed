"""Patterns as a whole: several models work on one task, over real HTTP."""

from __future__ import annotations

import pytest

from mmos import RunOptions
from mmos.errors import UsageError
from mmos.messages import File
from mmos.rehearsal.personas import Model, Speed
from mmos.rehearsal.pieces import Say, Stall
from mmos.testing import Call, Fail, stage, until

WRONG, RIGHT = "def add(a, b): return a - b", "def add(a, b): return a + b"
KNOWN = {"servers": {"here": {"vram_gb": 80}}}
SEQUENCE = {"pattern": "sequential", "models": [{"role": "coding", "task": "generate"}, {"role": "analysis", "task": "validate"}]}


async def test_a_sequence_goes_on_from_the_result_before():
    async with stage({"arbiter": [], "coding": [WRONG], "analysis": [RIGHT]}, orchestration={"patterns": {"fix": SEQUENCE}}) as on:
        answer = await on.app.run("Write add.", options=RunOptions(pattern="fix"))
        assert (answer.status, answer.text) == ("answered", RIGHT)
        (document,) = answer.document()["patterns"]
        assert [(one["name"], one["status"], one["host"]) for one in document["members"]] == [
            ("coding", "answered", "here"),
            ("analysis", "answered", "here"),
        ]
        assert (document["name"], document["pattern"], document["input_count"], document["chosen"]) == ("fix", "sequential", 2, 1)
        assert "return a - b" in on.heard("analysis")[0]
        assert not on.sent("arbiter")


async def test_a_step_that_fails_is_left_out_aloud():
    async with stage({"arbiter": [], "coding": [WRONG], "analysis": [Fail("broken")]}, orchestration={"patterns": {"fix": SEQUENCE}}) as on:
        answer = await on.app.run("Write add.", options=RunOptions(model="pattern:fix"))
        assert (answer.status, answer.text) == ("answered", WRONG)
        assert [one["status"] for one in answer.document()["patterns"][0]["members"]] == ["answered", "failed"]
        assert any(warning.startswith("analysis gave no answer: ") for warning in answer.view.warnings)


async def test_a_pattern_of_its_own_needs_no_configuration():
    own = {"pattern": "sequential", "models": ["coding", "analysis"]}
    async with stage({"arbiter": [], "coding": ["one"], "analysis": ["two"]}) as on:
        answer = await on.app.run("Count.", options=RunOptions(pattern=own))
        assert (answer.text, answer.document()["patterns"][0]["name"]) == ("two", "sequential")


async def test_a_name_that_no_pattern_has_is_refused_with_the_nearest():
    async with stage({"arbiter": []}, orchestration={"patterns": {"fix": {"pattern": "sequential", "models": ["a"]}}}) as on:
        with pytest.raises(UsageError, match=r"'fixx'.*did you mean 'fix'"):
            await on.app.run("Write add.", options=RunOptions(pattern="fixx"))


CONFLICT = '{"conflicts": [{"between": ["security", "style"], "about": "whether eval may stay", "resolved": "it must go"}]}'
ASPECTS = {
    "pattern": "parallel",
    "models": [{"role": "coding", "task": "security"}, {"role": "analysis", "task": "style"}],
    "aggregator_model": "judge",
}


async def test_aspects_are_looked_at_side_by_side_and_contradictions_are_named():
    roles = {"arbiter": [], "coding": ["eval is unsafe"], "analysis": ["eval is short"], "judge": [CONFLICT, "Remove eval."]}
    async with stage(roles, orchestration={"patterns": {"look": ASPECTS}}) as on:
        answer = await on.app.run("Review eval(x).", options=RunOptions(pattern="look"))
        assert answer.text == "Remove eval."
        (document,) = answer.document()["patterns"]
        assert document["conflicts"] == [{"between": ["security", "style"], "about": "whether eval may stay", "resolved": "it must go"}]
        assert "whether eval may stay" in on.heard("judge")[1]
        assert "What you do in this step: security" in on.heard("coding")[0]


async def test_an_aggregator_that_fails_loses_no_result():
    roles = {
        "arbiter": [],
        "coding": ["eval is unsafe"],
        "analysis": ["eval is short"],
        "judge": [Fail("x"), Fail("x"), Fail("x"), Fail("x")],
    }
    async with stage(roles, orchestration={"patterns": {"look": ASPECTS}}) as on:
        answer = await on.app.run("Review eval(x).", options=RunOptions(pattern="look"))
        assert "eval is unsafe" in (answer.text or "")
        assert "eval is short" in (answer.text or "")
        assert answer.document()["patterns"][0]["status"] == "partial"


async def test_files_are_shared_among_the_members():
    pattern = {"pattern": "parallel", "models": ["coding", "analysis"]}
    files = [File(f"{name}.py", f"# {name}") for name in ("one", "two", "three")]
    roles = {"arbiter": [], "coding": ["good", "fine", '{"conflicts": []}', "All good."], "analysis": ["bad"]}
    async with stage(roles) as on:
        answer = await on.app.run("Review.", files=files, options=RunOptions(pattern=pattern))
        assert answer.text == "All good."
        assert [one["task"] for one in answer.document()["patterns"][0]["members"]][3:] == ["find conflicts", "merge"]
        assert "# two" in on.heard("analysis")[0]
        assert "# one" not in on.heard("analysis")[0]


async def test_the_member_that_fits_answers_and_the_next_one_when_it_fails():
    pattern = {"pattern": "specialized", "models": [{"role": "analysis"}, {"role": "coding"}]}
    roles = {"arbiter": [], "coding": [Fail("x"), Fail("x"), Fail("x")], "analysis": ["Here it is."]}
    async with stage(roles, orchestration={"patterns": {"fit": pattern}}) as on:
        answer = await on.app.run("Write a Python function that sorts a list.", options=RunOptions(pattern="fit"))
        (document,) = answer.document()["patterns"]
        assert answer.text == "Here it is."
        assert [(one["name"], one["status"]) for one in document["members"]] == [("coding", "failed"), ("analysis", "answered")]
        assert "code_generation" in document["why"]


async def test_the_arbiter_uses_a_pattern_as_a_tool():
    use = Call("run_pattern", {"pattern": "fix", "task": "Write add."})
    roles = {"arbiter": [use, "Done: a + b."], "coding": [WRONG], "analysis": [RIGHT]}
    heard: list[str] = []
    async with stage(roles, orchestration={"patterns": {"fix": SEQUENCE}}) as on:
        answer = await on.app.run("I need add.", on_token=heard.append)
        assert "".join(heard) == answer.text == "Done: a + b."
        assert answer.document()["tools"] == [{"name": "run_pattern", "calls": 1, "failed": 0}]
        assert "return a + b" in on.heard("arbiter")[1]
        assert "I need add." in on.heard("coding")[0]


async def test_members_advise_a_role_that_keeps_its_tools():
    pattern = {"pattern": "ensemble", "models": [{"role": "coding"}, {"role": "analysis"}], "aggregator_model": "arbiter"}
    roles = {"arbiter": [Call("look", {}), "Both are right."], "coding": ["one"], "analysis": ["two"]}

    def look() -> str:
        """Look."""
        return "seen"

    on_role = {"patterns": {"both": pattern}, "arbiter": {"model": "pattern:both"}}
    async with stage(roles, tools=[look], orchestration=on_role) as on:
        answer = await on.app.run("Which?")
        assert answer.text == "Both are right."
        assert (len(on.sent("coding")), len(on.sent("analysis"))) == (1, 1), "they are asked once in a turn of the user"
        for body in on.sent("arbiter"):
            assert "coding says:" in str(body["messages"])
            assert body["tools"]


async def test_patterns_nest_and_a_member_may_be_a_pattern():
    keys = {
        "patterns": {
            "inner": {"pattern": "sequential", "models": ["one", "two"]},
            "outer": {"pattern": "sequential", "models": ["pattern:inner", "three"]},
        }
    }
    async with stage({"arbiter": [], "one": ["1"], "two": ["2"], "three": ["3"]}, orchestration=keys) as on:
        answer = await on.app.run("Count.", options=RunOptions(pattern="outer"))
        assert answer.text == "3"
        assert "<<<\n2\n>>>" in on.heard("three")[0]
        assert [(one["name"], len(one["members"])) for one in answer.document()["patterns"]] == [("outer", 2), ("inner", 2)]


async def test_a_pattern_takes_no_part_in_itself():
    keys = {
        "patterns": {"turn": {"pattern": "sequential", "models": [{"role": "coding"}, "two"]}},
        "specialists": {"coding": {"tools": {"allow": ["run_pattern"]}}},
    }
    call = Call("run_pattern", {"pattern": "turn", "task": "Go on."})
    async with stage({"arbiter": [], "coding": [call, "Then alone."], "two": ["Done."]}, orchestration=keys) as on:
        answer = await on.app.run("Go.", options=RunOptions(pattern="turn"))
        assert answer.text == "Done."
        assert "cannot take part in itself" in on.heard("coding")[1]
        assert len(answer.document()["patterns"]) == 1


# ---------------------------------------------------------------- gone, slow, and who hears what


async def test_a_member_that_hangs_is_late_when_the_deadline_passes_and_nobody_waits_for_it():
    pattern = {"pattern": "parallel", "models": ["one", "two"], "deadline": 1}
    async with stage({"arbiter": [], "one": ["Here."], "two": [[Say("So "), Stall()]]}, vram_gb=80, orchestration=KNOWN) as on:
        answer = await on.app.run("Look.", options=RunOptions(pattern=pattern))
        (document,) = answer.document()["patterns"]
        assert (answer.status, answer.text) == ("answered", "Here.")
        assert {one["name"]: one["status"] for one in document["members"]} == {"one": "answered", "two": "late"}
        assert "two gave the pattern parallel no answer. it was not waited for" in " ".join(answer.view.warnings)
        await until(lambda: all(entry.status for entry in on.host.requests.to("/api/chat")))


async def test_with_too_few_answers_the_pattern_fails_and_says_who_failed():
    pattern = {"pattern": "parallel", "models": ["one", {"model": "two", "timeout": 0.2}], "min_members": 2}
    async with stage({"arbiter": [], "one": ["Here."], "two": [[Say("So "), Stall()]]}) as on:
        answer = await on.app.run("Look.", options=RunOptions(pattern=pattern))
        (document,) = answer.document()["patterns"]
        assert (answer.status, document["status"]) == ("failed", "failed")
        assert {one["name"]: one["status"] for one in document["members"]} == {"one": "answered", "two": "late"}
        assert "1 of its members answered" in answer.document()["reason"]["message"]


async def test_the_result_is_heard_while_it_is_written_and_else_at_the_end():
    heard: list[str] = []
    pattern = {"pattern": "sequential", "models": ["one", "two"], "validate": True}
    async with stage({"arbiter": [], "one": ["First."], "two": ["Second."]}) as on:
        answer = await on.app.run("Count.", options=RunOptions(pattern=pattern), on_token=heard.append)
        assert "".join(heard) == answer.text == "Second."


async def test_the_next_turn_of_a_conversation_knows_what_was_said():
    pattern = {"pattern": "sequential", "models": ["one"]}
    async with stage({"arbiter": [], "one": ["Rome.", "Two million."]}) as on:
        await on.app.run("Name a town.", thread="t", options=RunOptions(pattern=pattern))
        answer = await on.app.run("How many live there?", thread="t", options=RunOptions(pattern=pattern))
        assert answer.text == "Two million."
        assert "Rome." in on.heard("one")[1]


async def test_an_answer_of_a_pattern_fits_the_schema_of_the_run():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    pattern = {"pattern": "sequential", "models": ["one", "two"]}
    async with stage({"arbiter": [], "one": ["Four."], "two": ["It is 4.", '{"n": 4}']}) as on:
        answer = await on.app.run("2 + 2?", options=RunOptions(pattern=pattern, schema=schema))
        assert (answer.status, answer.data) == ("answered", {"n": 4})


async def test_a_key_of_models_is_a_member_with_what_the_file_says_of_it():
    keys = {
        "models": {"quick": {"model": "one", "max_tokens": 50, "context_window": 2048}},
        "patterns": {"p": {"pattern": "sequential", "models": [{"model": "quick", "name": "writer", "max_tokens": 99}]}},
    }
    async with stage({"arbiter": [], "one": ["Here."]}, orchestration=keys) as on:
        answer = await on.app.run("Look.", options=RunOptions(pattern="p"))
        assert answer.document()["patterns"][0]["members"][0]["name"] == "writer"
        options = on.sent("one")[0]["options"]
        assert (options["num_predict"], options["num_ctx"], options["temperature"]) == (99, 2048, 0.7)


async def test_a_rule_chooses_the_member():
    pattern = {"pattern": "specialized", "models": [{"role": "coding"}, {"model": "two"}, {"model": "three", "task": "code_generation"}]}
    rules = [{"condition": "task.complexity > 9", "specialist": "coding"}, {"condition": "task.type == 'code_generation'", "model": "two"}]
    keys = {"patterns": {"fit": pattern}, "routing": {"rules": rules}}
    roles = {"arbiter": [], "coding": ["One."], "two": [Fail("x")], "three": ["Three."]}
    async with stage(roles, orchestration=keys) as on:
        answer = await on.app.run("Write a Python function that sorts a list.", options=RunOptions(pattern="fit"))
        (document,) = answer.document()["patterns"]
        assert answer.text == "Three."
        assert [(one["name"], one["status"]) for one in document["members"]] == [("two", "failed"), ("three", "answered")]
        assert document["why"] == "its task is code_generation; two gave no answer"


# ---------------------------------------------------------------- nobody can serve it


GONE = {"pattern": "parallel", "models": ["nowhere", "missing"]}


async def test_when_no_host_can_serve_any_member_the_run_fails_as_for_a_model_and_can_be_resumed():
    async with stage({"arbiter": [], "one": ["Here."]}) as on:
        answer = await on.app.run("Look.", options=RunOptions(pattern=GONE))
        assert (answer.status, answer.document()["reason"]["code"]) == ("failed", "model_missing")
        told = [warning.partition(":")[0] for warning in answer.view.warnings]
        assert sorted(told) == ["missing gave no answer", "nowhere gave no answer"]
        entries = await on.app.journal.read(run=answer.run)
    async with stage({"arbiter": [], "nowhere": ["There.", '{"conflicts": []}', "Both."], "missing": ["Everywhere."]}) as on:
        for entry in entries[:-1]:
            on.app.journal.append(entry.run, entry.thread, entry.event)
        again = await on.app.resume(entries[0].run, options=RunOptions())
        assert (again.status, again.text) == ("answered", "Both.")


async def test_a_pattern_is_a_fallback_and_has_one():
    keys = {
        "patterns": {"gone": GONE, "there": {"pattern": "sequential", "models": ["one", "two"]}},
        "specialists": {
            "coding": {"model": ["pattern:gone", "three"]},
            "analysis": {"model": ["nowhere", "pattern:there"]},
        },
    }
    roles = {"arbiter": [], "coding": [], "analysis": [], "one": ["1"], "two": ["2"], "three": ["3"]}
    async with stage(roles, orchestration=keys) as on:
        answer = await on.app.run("Count.", options=RunOptions(role_only="coding"))
        assert (answer.status, answer.text) == ("answered", "3")
        assert "The pattern gone gave no answer, so three answers." in " ".join(answer.view.warnings)
        answer = await on.app.run("Count.", options=RunOptions(role_only="analysis"))
        assert (answer.status, answer.text) == ("answered", "2")


async def test_without_any_advice_the_model_that_acts_answers():
    keys = {"patterns": {"gone": {**GONE, "aggregator_model": "one"}}, "arbiter": {"model": "pattern:gone"}}
    async with stage({"arbiter": [], "coding": [], "one": ["Alone."]}, orchestration=keys) as on:
        answer = await on.app.run("Look.")
        assert (answer.status, answer.text) == ("answered", "Alone.")
        assert "The pattern gone gave arbiter no advice." in " ".join(answer.view.warnings)


async def test_another_member_takes_the_file_over_whose_member_fails():
    pattern = {"pattern": "parallel", "models": ["nowhere", "one"]}
    files = [File(f"{name}.py", f"# {name}") for name in ("a", "b")]
    async with stage({"arbiter": [], "one": ["B.", "A."]}) as on:
        answer = await on.app.run("Review.", files=files, options=RunOptions(pattern=pattern))
        rows = [(one["name"], one["status"], one["task"]) for one in answer.document()["patterns"][0]["members"]]
        assert sorted(rows[:3]) == [("nowhere", "failed", "a.py"), ("one", "answered", "a.py"), ("one", "answered", "b.py")]
        assert "## a.py\n\nA." in (answer.text or "")
        assert "## b.py\n\nB." in (answer.text or "")


async def test_a_later_step_reads_the_files_of_the_task_where_they_have_room():
    own = {"model": "three", "prompt": "Only this: {{ previous_output }}"}
    pattern = {"pattern": "sequential", "models": [{"role": "coding"}, {"role": "analysis"}, own]}
    for text, reads in (("x = 1\n", True), ("word " * 4_500, False)):
        async with stage({"arbiter": [], "coding": ["One."] * 9, "analysis": ["Two."], "three": ["Three."]}) as on:
            answer = await on.app.run("Review.", files=[File("a.py", text)], options=RunOptions(pattern=pattern))
            assert answer.text == "Three."
            assert ("a.py" in on.heard("analysis")[0]) is reads
            assert on.heard("three") == ["Only this: Two."]


async def test_files_wait_for_a_free_place_and_not_within_the_time_of_their_answer():
    pattern = {"pattern": "parallel", "models": [{"model": "one", "timeout": 1.2}]}
    files = [File(f"{number}.py", f"# {number}") for number in range(8)]
    slow = Model.scripted(
        "one", [*["Good."] * 8, '{"conflicts": []}', "All."], speed=Speed(load_seconds=0.0, prefill=100_000.0, decode=6.0)
    )
    roles = {"arbiter": [], "one": slow}
    async with stage(roles, orchestration={"servers": {"here": {"parallel": 1}}}, parallel=1, time_scale=1.0) as on:
        answer = await on.app.run("Review.", files=files, options=RunOptions(pattern=pattern))
        assert answer.text == "All."
        assert {one["status"] for one in answer.document()["patterns"][0]["members"]} == {"answered"}


async def test_a_checked_result_below_the_wanted_score_is_partial_and_says_why():
    pattern = {"pattern": "sequential", "models": ["one"], "validate": True}
    async with stage({"arbiter": [], "one": ["```python\ndef add(a, b:\n    return\n```"]}) as on:
        answer = await on.app.run("Write add in Python.", options=RunOptions(pattern=pattern))
        (document,) = answer.document()["patterns"]
        assert (document["status"], document["members"][0]["score"]) == ("partial", 0.4)
        assert document["why"].startswith("the result scores 0.40, and 0.8 is wanted: ")


async def test_who_answers_depends_on_the_question_and_not_on_what_was_said_before():
    pattern = {
        "pattern": "specialized",
        "models": [{"model": "two", "task": "code_generation"}, {"model": "three", "task": "simple_query"}],
    }
    async with stage({"arbiter": [], "two": ["def f(): ..."], "three": ["Paris."]}) as on:
        await on.app.run("Write a Python function that sorts a list.", thread="t", options=RunOptions(pattern=pattern))
        answer = await on.app.run("What is the capital of France?", thread="t", options=RunOptions(pattern=pattern))
        assert answer.text == "Paris."
        assert "def f()" in on.heard("three")[0]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"pattern": "sequential", "models": ["one", "two", "one"]}, "two gave no answer"),
        ({"pattern": "sequential", "models": ["two", "one"]}, "two gave no answer"),
        ({"pattern": "specialized", "models": [{"model": "two", "task": "simple_query"}, "one"]}, "two gave no answer"),
        ({"pattern": "ensemble", "models": ["one", "three"], "aggregator_model": "two"}, "no one answer was written"),
        (
            {"pattern": "ensemble", "aggregate": "best", "models": ["one", "three"], "aggregator_model": "two"},
            "the judge said nothing of use",
        ),
    ],
)
async def test_the_deadline_holds_for_each_who_hangs(keys: dict[str, object], why: str):
    roles = {"arbiter": [], "one": ["Here."], "two": [[Say("So "), Stall()]], "three": ["There."]}
    async with stage(roles, vram_gb=80, orchestration=KNOWN) as on:
        answer = await on.app.run("What is the capital of France?", options=RunOptions(pattern={**keys, "deadline": 0.5}))
        assert (answer.status, answer.text) == ("answered", "Here.")
        (document,) = answer.document()["patterns"]
        assert [one["status"] for one in document["members"] if one["name"] == "two"] == ["late"]
        assert why in document["why"]
        assert (await on.app.replay(answer.run)).same


@pytest.mark.parametrize("keys", [{"pattern": "parallel"}, {"pattern": "ensemble", "aggregate": "vote"}, {"pattern": "voting"}])
async def test_a_member_that_hangs_on_the_only_host_does_not_keep_the_others_from_it(keys: dict[str, str]):
    for models in (["one", "two"], ["two", "one"]):
        async with stage({"arbiter": [], "one": ["Here."], "two": [[Say("So "), Stall()]]}) as on:
            answer = await on.app.run("Look.", options=RunOptions(pattern={**keys, "models": models, "deadline": 0.5}))
            assert (answer.status, answer.text) == ("answered", "Here.")
            assert {one["name"]: one["status"] for one in answer.document()["patterns"][0]["members"]} == {"one": "answered", "two": "late"}

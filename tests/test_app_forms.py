"""Forms of patterns that are the user's own: how they are named, loaded, refused and asked about."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import mmos
from mmos import RunOptions
from mmos.app import checks, trust
from mmos.config.load import from_mapping, load
from mmos.errors import ConfigError, UsageError
from mmos.testing import Model, stage

DEBATE = """
import mmos

class Debate:
    async def run(self, work):
        first, second = work.plan.members
        claim = await work.ask(first, work.task, key="claim")
        answer = await work.ask(second, f"What is wrong here? {claim.text}", key="answer", aloud=True)
        work.vote("claim", "doubted", 0.5)
        return mmos.patterns.Outcome(answer.text, chosen="answer", agreement=0.5, dissent={first.name: claim.text})

def talk(work):
    return "no class"

class Silent:
    def run(self, work):
        return None
"""


def written(folder: Path, form: str, name: str, **members: Any) -> Path:
    (folder / f"{name}.py").write_text(DEBATE, encoding="utf-8")
    path = folder / "orchestration.yaml"
    path.write_text(
        dedent(f"""\
        orchestration:
          arbiter: {{model: a}}
          patterns:
            debate: {{pattern: "{name}:{form}", models: [one, two]}}
        """),
        encoding="utf-8",
    )
    return path


async def test_a_class_of_the_user_works_like_our_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written(tmp_path, "Debate", "debating")
    monkeypatch.syspath_prepend(tmp_path)
    keys = {"patterns": {"debate": {"pattern": "debating:Debate", "models": ["one", "two"]}}}
    models = {"arbiter": [], "one": ["The earth is flat."], "two": ["It is round."]}
    heard: list[str] = []
    async with stage(models, orchestration=keys) as on:
        answer = await on.app.run("What is the earth?", options=RunOptions(pattern={"name": "debate"}), on_token=heard.append)
    (document,) = answer.document()["patterns"]
    assert (answer.text, "".join(heard)) == ("It is round.", "It is round.")
    assert (document["pattern"], document["agreement"], document["chosen"]) == ("debating:Debate", 0.5, 1)
    assert [(one["name"], one["vote"]) for one in document["members"]] == [("one", "doubted"), ("two", None)]
    assert document["dissent"] == [{"model": "one", "text": "The earth is flat."}]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("Debat", "debating1.py has no class 'Debat'; did you mean 'Debate'"),
        ("talk", "line 12: 'talk' is not a class"),
        ("Silent", "it must be a class with `async def run"),
    ],
)
def test_what_is_no_form_is_refused_with_its_place(tmp_path: Path, form: str, words: str):
    path = written(tmp_path, form, "debating1")
    with pytest.raises(ConfigError, match=words) as refused:
        checks.tools_of(load(path, environ={}))
    assert "orchestration.yaml:4" in str(refused.value)


def test_a_word_that_is_no_form_is_refused_with_the_nearest():
    patterns = {"look": {"pattern": "sequental", "models": ["one"]}}
    with pytest.raises(ConfigError, match="did you mean 'sequential'"):
        from_mapping({"orchestration": {"arbiter": {"model": "a"}, "patterns": patterns}}, environ={})


def test_a_class_of_python_is_refused(tmp_path: Path):
    patterns = {"look": {"pattern": "subprocess:Popen", "models": ["one"]}}
    config = from_mapping({"orchestration": {"arbiter": {"model": "a"}, "patterns": patterns}}, environ={})
    with pytest.raises(ConfigError, match="belongs to Python"):
        checks.tools_of(config)


def test_a_found_file_that_names_a_class_is_asked_about(tmp_path: Path):
    config = load(written(tmp_path, "Debate", "debating2"), environ={})
    consent = trust.consent_of(config, {})
    assert consent is not None
    assert "run debating2:Debate, which is code" in consent.text
    (tmp_path / "debating2.py").write_text(DEBATE + "\n# changed\n", encoding="utf-8")
    changed = trust.consent_of(config, {})
    assert changed is not None
    assert changed.digest != consent.digest


async def test_the_options_of_a_run_name_no_code():
    async with stage({"arbiter": Model.scripted("arbiter", ["unused"])}) as on:
        with pytest.raises(UsageError, match="stands in the configuration"):
            await on.app.run("Go.", options=RunOptions(pattern={"pattern": "debating:Debate", "models": ["a"]}))


def test_the_face_for_own_forms_is_public():
    assert {"Work", "Outcome", "Plan", "Contribution", "Contributor", "Form"} == set(mmos.patterns.__all__)


async def test_an_installed_package_offers_a_form_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "offered.py").write_text(DEBATE, encoding="utf-8")
    made = tmp_path / "offered-1.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n", encoding="utf-8")
    (made / "entry_points.txt").write_text("[mmos.patterns]\ndebate-form = offered:Debate\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    keys = {"patterns": {"talk": {"pattern": "debate-form", "models": ["one", "two"]}}}
    async with stage({"arbiter": [], "one": ["Flat."], "two": ["Round."]}, orchestration=keys) as on:
        answer = await on.app.run("What is the earth?", options=RunOptions(pattern="talk"))
        assert (answer.text, answer.document()["patterns"][0]["pattern"]) == ("Round.", "debate-form")

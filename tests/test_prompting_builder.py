"""The system text of a role is made of parts: with no key set it is what it always was, and an empty part leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmos.app import checks
from mmos.app.system_texts import purpose_of, system_of
from mmos.app.wiring import cast_of, roles_of, templates_of
from mmos.config.load import Config, from_mapping
from mmos.config.roles import Guidance
from mmos.errors import ConfigError
from mmos.prompting.builder import system_text
from mmos.prompting.templates import Templates
from mmos.toolbox import Toolbox

TEXTS = Templates()
SPECIALISTS: dict[str, Any] = {
    "coding": {"model": "coder:3b"},
    "poet": {"model": "p", "system": "Rhyme."},
    "interpreter": {"model": "functiongemma"},
}


def config_of(folder: Path | None = None, **keys: Any) -> Config:
    orchestration = {"arbiter": {"model": "m"}, "specialists": SPECIALISTS, **keys}
    if folder is not None:
        orchestration["prompts"] = str(folder)
    return from_mapping({"orchestration": orchestration}, environ={})


def systems(config: Config) -> dict[str, str]:
    roles = roles_of(config, None)
    return {name: system_of(role, roles, templates_of(config)) for name, role in roles.items()}


def test_without_keys_every_system_text_is_what_the_files_and_the_key_system_say() -> None:
    config = config_of()
    roles = roles_of(config, None)
    names = "\n".join(f"- {name}: {purpose_of(roles[name], TEXTS)}" for name in ("coding", "poet"))
    poet = TEXTS.fill("specialist", role="poet", purpose=purpose_of(roles["poet"], TEXTS))
    assert systems(config) == {
        "arbiter": TEXTS.fill("arbiter", specialists=names),
        "coding": TEXTS.fill("specialist", role="coding", purpose=purpose_of(roles["coding"], TEXTS)),
        "poet": f"{poet}\n\nRhyme.",
        "interpreter": TEXTS.fill("functiongemma"),
        "synthesizer": TEXTS.fill("synthesizer"),
    }


def test_what_a_role_is_good_for_may_be_said_in_other_words(tmp_path: Path) -> None:
    (tmp_path / "system.md").write_text("## purpose_coding\nEr schreibt Programme.\n\n## purpose\n{{ role }}!\n")
    told = systems(config_of(tmp_path))
    assert "- coding: Er schreibt Programme.\n- poet: poet!" in told["arbiter"]
    assert told["coding"].startswith("You are the coding specialist in a team of models. Er schreibt Programme.\n")


def test_the_parts_stand_in_one_order_and_empty_ones_leave_no_line() -> None:
    whole = Guidance("senior", "detailed", ("Be\nkind.", " "), "German.\n")
    text = system_text("You are a.", whole, "Added.", TEXTS)
    assert text == "\n\n".join(
        [
            "You are a.", TEXTS.fill("expertise_senior"), TEXTS.fill("work_thoroughly"), "Added.",
            TEXTS.fill("constraints", constraints="- Be kind."), TEXTS.fill("preferences", preferences="German."),
        ]
    )  # fmt: skip
    assert system_text("You are a.", Guidance(constraints=("",), preferences=" "), "", TEXTS) == "You are a."


@pytest.mark.parametrize("level", ["junior", "senior", "Expert"])
def test_levels_of_expertise_have_texts_of_their_own(level: str) -> None:
    assert system_text("", Guidance(level), "", TEXTS) == TEXTS.fill(f"expertise_{level.lower()}")


def test_other_words_for_expertise_stand_as_they_are_and_are_no_template() -> None:
    assert system_text("", Guidance("ten years of {{ level }}."), "", TEXTS) == "Your level of expertise: ten years of {{ level }}."


def test_every_key_reaches_the_roles_that_it_is_for() -> None:
    specialists = {**SPECIALISTS, "coding": {"model": "coder:3b", "detail": "auto", "constraints": ["No unsafe code."]}}
    told = systems(config_of(specialists=specialists, constraints=["Name nobody."], preferences="Short."))
    assert "small steps" in told["coding"]
    assert "- Name nobody.\n- No unsafe code." in told["coding"]
    assert "small steps" not in told["poet"]
    assert "No unsafe" not in told["poet"]
    for role in ("arbiter", "coding", "poet", "synthesizer"):
        assert "- Name nobody." in told[role]
        assert told[role].endswith("What the user prefers:\nShort.")
    assert told["interpreter"] == TEXTS.fill("functiongemma")


def test_the_size_of_the_model_chooses_the_detail() -> None:
    for model, part in (("a:4b", "small steps"), ("a:7b", "Work thoroughly"), ("a", "")):
        told = systems(config_of(specialists={"coding": {"model": model, "detail": "auto"}}))["coding"]
        assert part in told
        assert ("Work" in told) == bool(part)


@pytest.mark.parametrize("key", [{"expertise": "senior"}, {"detail": "simple"}, {"constraints": ["x"]}])
def test_a_key_that_the_interpreter_does_not_read_is_an_error(key: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="the interpreter reads no"):
        config_of(specialists={"interpreter": {"model": "functiongemma", **key}})


def test_a_file_with_the_name_of_a_role_is_its_text(tmp_path: Path) -> None:
    (tmp_path / "coding.md").write_text("<!-- ours -->\n{% if purpose %}\nYou code as {{ role }}.\n{% endif %}\n")
    config = config_of(tmp_path)
    templates = templates_of(config)
    assert systems(config)["coding"] == "You code as coding."
    assert systems(config)["poet"] == systems(config_of())["poet"]
    assert templates.path("coding") == tmp_path / "coding.md"
    assert (templates.source("coding"), templates.places_in("coding")) == ("own", ("purpose", "role"))
    assert checks.problems(config) == templates.unused() == []
    cast = cast_of(roles_of(config, None), Toolbox(), templates, "")
    assert cast["coding"].system == "You code as coding."


def test_a_file_of_a_role_with_a_slip_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "coding.md").write_text("You code.\n{% if purpos %}{% endif %}\n")
    (tmp_path / "painting.md").write_text("You paint.\n")
    config = config_of(tmp_path)
    (problem,) = checks.problems(config)
    assert str(problem) == f"{tmp_path}/coding.md:2: 'purpos' is not a place here; did you mean 'purpose'? Allowed: role, purpose"
    (stray,) = templates_of(config).unused()
    assert Path(stray.where).name == "painting.md"


def test_the_short_texts_of_a_small_model_do_not_replace_the_users_text_for_the_role(tmp_path: Path) -> None:
    (tmp_path / "coding.md").write_text("You code.\n")
    config = config_of(
        tmp_path, models={"tiny": {"model": "t", "prompts": "small"}}, specialists={"coding": {"model": "tiny"}, "poet": {"model": "tiny"}}
    )
    assert systems(config)["coding"] == "You code."
    assert systems(config)["poet"].endswith("Answer in two or three short sentences.")


def test_a_text_that_becomes_too_long_is_found_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "coding.md").write_text("{% for line in purpose|lines %}{{ purpose }}{% endfor %}")
    config = config_of(tmp_path, specialists={"coding": {"model": "m", "description": "x\n" * 9_000}})
    (problem,) = checks.problems(config)
    assert "coding.md" in str(problem)
    assert "more than 32 MB" in str(problem)

"""Who judges, and which larger model may answer again."""

from __future__ import annotations

from mmos.catalog.known import KnownModel
from mmos.judging.choosing import OF_AUTHOR, OF_FAMILY, first_judge, kinship, larger, named, second_judge

HERE = ("here",)
AUTHOR = KnownModel("qwen2.5:7b", family="qwen2", parameters=7.6, hosts=HERE, keys=("mine",))
SISTER = KnownModel("qwen2.5:14b", family="qwen2", parameters=14.8, hosts=HERE)
LLAMA = KnownModel("llama3.1:8b", family="llama", parameters=8.0, hosts=HERE)
GEMMA = KnownModel("gemma2:9b", family="gemma2", parameters=9.2, hosts=HERE)
AWAY = KnownModel("giant:405b", family="llama", parameters=405)
ALL = [AUTHOR, SISTER, LLAMA, GEMMA, AWAY]


def test_a_model_that_cannot_judge_is_left_out() -> None:
    assert first_judge(ALL, "qwen2.5:7b", "", ()) == GEMMA
    assert first_judge(ALL, "qwen2.5:7b", "", {"gemma2:9b"}) == LLAMA
    assert first_judge(ALL, "qwen2.5:7b", "", {one.name for one in ALL}) is None


def test_a_tiny_model_judges_only_when_there_is_no_other() -> None:
    tiny = KnownModel("functiongemma", family="gemma3", parameters=0.27, hosts=HERE)
    assert first_judge([AUTHOR, tiny], "qwen2.5:7b", "", ()) == AUTHOR
    assert first_judge([tiny, AWAY], "tiny", "", ()) == tiny
    assert second_judge([AUTHOR, tiny, LLAMA], "qwen2.5:7b", "", LLAMA, ()) == tiny


def test_the_second_judge_is_of_a_third_family_and_never_the_author() -> None:
    assert second_judge(ALL, "qwen2.5:7b", "", GEMMA, ()) == LLAMA
    assert second_judge([AUTHOR, SISTER, LLAMA], "qwen2.5:7b", "", LLAMA, ()) == SISTER
    assert second_judge([AUTHOR, LLAMA, AWAY], "mine", "", LLAMA, ()) is None


def test_nothing_goes_to_a_cloud_or_to_a_model_without_a_host() -> None:
    cloud = KnownModel("gpt-oss:120b-cloud", frozenset({"HIGH_QUALITY"}), family="gptoss", parameters=120, hosts=HERE, remote=True)
    assert first_judge([AUTHOR, cloud, AWAY, SISTER], "qwen2.5:7b", "", ()) == SISTER
    assert first_judge([cloud], "qwen2.5:7b", "", ()) is None
    assert second_judge([AUTHOR, cloud, LLAMA], "qwen2.5:7b", "", LLAMA, ()) is None
    assert larger([AUTHOR, cloud, AWAY], "qwen2.5:7b") is None


def test_kinship_costs_trust() -> None:
    assert kinship(ALL, "llama3.1:8b", "qwen2.5:7b") == (1.0, "")
    assert kinship(ALL, "qwen2.5:14b", "qwen2.5:7b")[0] == OF_FAMILY
    assert kinship(ALL, "qwen2.5:7b", "qwen2.5:7b")[0] == OF_AUTHOR
    assert kinship([], "a", "b") == (1.0, ""), "nothing is known of their families"


def test_a_larger_model_is_there_and_clearly_larger() -> None:
    assert larger(ALL, "qwen2.5:7b") == SISTER
    assert larger(ALL, "mine") == SISTER
    assert larger([AUTHOR, LLAMA, AWAY], "qwen2.5:7b") is None
    assert larger(ALL, "unknown") is None
    assert larger([AUTHOR, SISTER, GEMMA], "qwen2.5:7b", ["qwen2.5:14b"]) == GEMMA
    assert larger([AUTHOR, SISTER], "qwen2.5:7b", ["qwen2.5:14b"]) == SISTER


def test_a_name_that_nobody_knows_is_a_model() -> None:
    assert named(ALL, "mine") == AUTHOR
    assert named(ALL, "other:1b") == KnownModel("other:1b")

"""Who checks an answer."""

from __future__ import annotations

from mmos.catalog.known import KnownModel
from mmos.selection.checker import checker_of

HERE = ("here",)


def known(name: str, *capabilities: str, family: str = "", parameters: float = 7.0, hosts: tuple[str, ...] = HERE) -> KnownModel:
    return KnownModel(name, frozenset(capabilities), family=family or name.partition(":")[0], parameters=parameters, hosts=hosts)


GUARD = known("guard:8b", "SECURITY_FOCUSED", family="llama")
BIG = known("big:70b", "HIGH_QUALITY", family="llama", parameters=70)
CODER = known("coder:7b", "CODE_SPECIALIZED", family="qwen2")
OTHER = known("qwen2.5:72b", "HIGH_QUALITY", family="qwen2", parameters=72)


def test_a_security_minded_model_checks_code() -> None:
    models = [BIG, GUARD, CODER]
    assert checker_of(models, "coder:7b", "code_generation") == GUARD
    assert checker_of(models, "big:70b", "SECURITY_REVIEW") == GUARD, "its family counts less"
    assert checker_of(models, "coder:7b", "documentation") == BIG, "a text needs no security"


def test_another_family_checks() -> None:
    assert checker_of([CODER, OTHER, BIG], "coder:7b", "simple_query") == BIG
    assert checker_of([CODER, OTHER], "coder:7b", "simple_query") == OTHER, "only its own family is there"


def test_the_author_checks_only_when_there_is_no_other() -> None:
    weak = known("weak:1b", family="qwen2", parameters=1)
    assert checker_of([OTHER, weak], "qwen2.5:72b", "simple_query") == weak
    assert checker_of([OTHER], "qwen2.5:72b", "simple_query") == OTHER
    assert checker_of([CODER, KnownModel("q", keys=("mine",), hosts=HERE)], "mine", "simple_query") == CODER


def test_a_model_without_a_host_or_for_vectors_checks_nothing() -> None:
    away = known("away:70b", "SECURITY_FOCUSED", "HIGH_QUALITY", hosts=())
    vectors = known("nomic-embed-text", "EMBEDDING")
    assert checker_of([away, CODER, vectors], "big:70b", "code") == CODER
    assert checker_of([vectors], "big:70b", "code") is None
    assert checker_of([], "big:70b", "code") is None


def test_the_order_of_the_models_does_not_matter() -> None:
    models = [GUARD, BIG, CODER, OTHER]
    assert checker_of(models, "x", "code") == checker_of(models[::-1], "x", "code")

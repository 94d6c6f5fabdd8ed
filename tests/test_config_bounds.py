"""What a hostile configuration may cost: work grows with the file, and the report stays short."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from mmos.cli.main import mmos
from mmos.config.document import MOST_PROBLEMS
from mmos.config.environment import MOST_CHARACTERS
from mmos.config.load import from_text
from mmos.config.wording import masked
from mmos.errors import ConfigError, Problem
from tests.counting import steps

ARBITER = "orchestration:\n  arbiter: {model: m}\n"


def refused(text: str, **environ: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        from_text(text, "o.yaml", environ)
    return caught.value.problems


def merged_in_a_list(size: int) -> str:
    keys = ", ".join(f"k{number}: 1" for number in range(200))
    return f"d: &d {{{keys}}}\nx: {{<<: [{', '.join(['*d'] * size)}]}}\n{ARBITER}"


def merged_in_a_chain(size: int) -> str:
    return "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: 1}}\n" for n in range(1, size)) + ARBITER


def aliases(size: int) -> str:
    return "a: &a [1, 2, 3, 4, 5]\nx: [" + ", ".join(["*a"] * size) + f"]\n{ARBITER}"


def equal_keys(size: int) -> str:
    return ARBITER + "k: 1\n" * size


def many_values(size: int) -> str:
    return f"{ARBITER}x: [{'1, ' * size}]"


@pytest.mark.parametrize("bomb", [merged_in_a_list, merged_in_a_chain, aliases, equal_keys, many_values])
def test_reading_stops_where_a_file_unfolds_to_too_much(bomb: Callable[[int], str]) -> None:
    small, large = bomb(12_000), bomb(24_000)
    twice, once = steps(lambda: refused(large)), steps(lambda: refused(small))
    assert abs(twice - once) < 100  # what an earlier test has left in a cache is a few steps
    assert once < 500_000
    assert len(refused(large)) <= MOST_PROBLEMS


def test_the_line_is_named_where_a_file_unfolds_to_too_much() -> None:
    (problem,) = refused(merged_in_a_list(1000))
    assert str(problem) == "o.yaml:2: x.<<[24]: here the file expands to more than 10,000 values or 40 levels; use fewer aliases (*name)"


@pytest.mark.parametrize(
    "many",
    [
        lambda size: ARBITER + "".join(f"  limitz{n}: 1\n" for n in range(size)),
        lambda size: ARBITER + "  routing: {rules: [" + "{condition: task.complexity > 1, specialist: x}, " * (size // 4) + "]}\n",
    ],
    ids=["unknown keys", "rules for nobody"],
)
def test_a_file_with_many_faults_gets_a_short_report(many: Callable[[int], str]) -> None:
    problems = refused(many(2000))
    assert len(problems) == MOST_PROBLEMS + 1
    assert problems[-1].message.endswith("more problems are not shown")


def test_names_are_listed_up_to_a_number_that_somebody_reads() -> None:
    specialists = ", ".join(f"role{number}: {{model: m}}" for number in range(1000))
    (problem,) = refused(
        f"{ARBITER}  specialists: {{{specialists}}}\n  routing: {{rules: [{{condition: task.complexity > 1, specialist: x}}]}}\n"
    )
    assert "role59, …" in problem.message
    assert len(problem.message) < 1000


def test_short_references_cannot_stand_for_endless_text() -> None:
    text = f"{ARBITER}  servers: {{a: {{url: 'http://a', headers: {{X: '{'${LONG}' * 1000}'}}}}}}\n"
    assert from_text(text, "o.yaml", {"LONG": "x" * (MOST_CHARACTERS // 1000)}).servers()["a"].headers
    (problem,) = refused(text, LONG="x" * (MOST_CHARACTERS // 1000 + 1))
    assert str(problem) == (
        "o.yaml:3: orchestration.servers.a.headers.X: the environment adds too much text, allowed: 1,048,576 characters in one file"
    )


@pytest.mark.parametrize("piece", ["://a", "://a@", "://a ", "a?", "@"])
def test_an_address_is_masked_in_one_pass(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * size
        times = []
        for _ in range(3):
            begun = time.process_time()
            masked(text)
            times.append(time.process_time() - begun)
        return min(times)

    # Eight times the text: 8 times the work in one pass, 64 times when each address looks at all that follow.
    assert seconds(32_000) < 24 * seconds(4_000) + 0.01


def test_a_path_that_no_system_knows_is_a_warning() -> None:
    made = from_text(f"{ARBITER}  prompts: '{'x' * 5000}'\n", "o.yaml", {})
    assert "there is no folder" in made.warnings[0].message


def test_a_prompt_that_never_ends_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "arbiter.md").write_text("x" * (1 << 20) + "x")
    (tmp_path / "p" / "brief.md").symlink_to("/dev/zero")
    (tmp_path / "orchestration.yaml").write_text(f"{ARBITER}  prompts: p\n")
    ended = CliRunner().invoke(mmos, ["prompts", "list", "-c", str(tmp_path / "orchestration.yaml")])
    assert "arbiter.md has more than 1,024 kB" in ended.output

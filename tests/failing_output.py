"""The ends of failed jobs of many tools, each within the output of steps that worked."""

from __future__ import annotations

from pathlib import Path
from random import Random

_TEXT = (Path(__file__).parent / "golden" / "failing_output.txt").read_text(encoding="utf-8")
OUTPUTS = {
    name: text.split("\n") for name, _, text in (part.partition("\n") for part in _TEXT.removeprefix("@@@ ").rstrip("\n").split("\n@@@ "))
}
"""By tool. A line that a reader has to see begins with `«`."""
NAMES = ("store", "wire", "cart", "error_codes", "handler", "util", "parser", "failing_case", "exception_map", "network")


def worked(count: int, seed: str) -> list[str]:
    """Lines of steps that worked, with words that look like failures."""
    chance = Random(seed)
    lines = []
    for _ in range(count):
        one, two, number = chance.choice(NAMES), chance.choice(NAMES), chance.randrange(1000)
        lines.append(
            chance.choice(
                (
                    f"Downloading {one}-{two}-{number}.tgz ({number} kB)",
                    f"test {one}::{two}_{number} ... ok",
                    f"[{number % 100:3d}%] Building CXX object {one}/{two}.cpp.o",
                    f"INFO {one}: processed {number} items, 0 errors",
                    f"warning: {one}.{two} is deprecated, use {two} instead",
                    f"npm warn deprecated {one}@{number}.1.0: this package is not supported",
                    f"DEBUG retrying the request to {one} (attempt 2)",
                    f"tests/test_{one}.py::test_fails_without_{two} PASSED",
                )
            )
        )
    return lines


def github_job(output: list[str], seed: str) -> list[str]:
    """The log of a job in which a step failed with this output, as GitHub writes it."""
    lines = ["Complete job name: build", "##[group]Run actions/checkout@v4", "with:", "##[endgroup]", *worked(100, seed)]
    lines += [
        "##[group]Run make ci",
        "\x1b[36;1mmake ci || exit 1\x1b[0m",
        "env:",
        "  ERROR_MODE: fail",
        "##[endgroup]",
        *worked(100, seed + "b"),
        *output,
    ]
    if not any("##[error]" in line for line in output):
        lines.append("##[error]Process completed with exit code 1.")
    lines += [
        "Post job cleanup.",
        "[command]/usr/bin/git version",
        *(f"[command]/usr/bin/git config --local --unset x{n}" for n in range(20)),
    ]
    return [_stamped(line, number) for number, line in enumerate(lines)]


def _stamped(line: str, number: int) -> str:
    sign = "«" if line.startswith("«") else ""
    return f"{sign}2026-04-22T16:11:{number % 60:02d}.{number * 7919 % 10**7:07d}Z {line.removeprefix('«')}"

"""Writes docs/failures.md from the table of known failures: `python scripts/docs_failures.py [--write]`. Without --write it prints the page."""

from __future__ import annotations

import sys
from pathlib import Path

from mmos.diagnosis.knowledge import FAILURES, Family, cause, cure

PAGE = Path(__file__).parent.parent / "docs" / "failures.md"
OPENING = """\
<!-- Written by scripts/docs_failures.py. Run `just docs` to update it. -->

# Known failures

The failures that MMOS recognizes without a model, in logs and in failed runs. The category is what scripts read. If no rule is sure, the category is `null`.
"""
TITLES: dict[Family, str] = {
    "hosts": "Hosts that do not serve",
    "calls": "Tool calls",
    "runs": "Runs of MMOS",
    "commands": "Commands: builds, tests, deployments",
}


def page() -> str:
    return "\n".join([OPENING, *(section(family, title) for family, title in TITLES.items())])


def section(family: Family, title: str) -> str:
    rows = [row(category) for category, failure in FAILURES.items() if failure.family == family]
    return "\n".join([f"## {title}", "", "| category | cause | what helps |", "|---|---|---|", *rows, ""])


def row(category: str) -> str:
    return f"| `{category}` | " + " | ".join(text.replace("|", "\\|") for text in (cause(category), cure(category))) + " |"


def main() -> None:
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()

"""Runs the simulations of docs/simulate.md again: `python scripts/docs_figures.py [--write]`. Without --write it prints the page.

A block that begins with `# NAME.yaml` is a file, and one that begins with `$ mmos simulate` is a command with its output. A `…` in its
output stands for what is left out before the next line, and at the end.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "simulate.md"
BLOCK = re.compile(r"(?<=```text\n)(.*?)(?=```)", re.DOTALL)
LEFT_OUT = "…"


def page(text: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return BLOCK.sub(lambda block: renewed(block[1], Path(folder)), text)


def renewed(block: str, folder: Path) -> str:
    first, _, rest = block.partition("\n")
    if named := re.fullmatch(r"# (\w+\.yaml)", first):
        (folder / named[1]).write_text(rest, encoding="utf-8")
    if not first.startswith("$ mmos simulate"):
        return block
    command = [sys.executable, "-m", *shlex.split(first.removeprefix("$ "))]
    made = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", check=True).stdout
    return f"{first}\n{shown(made.splitlines(), rest.splitlines())}\n"


def shown(made: list[str], before: list[str]) -> str:
    """The lines of the new output that the page showed of the old one."""
    skipped, ends = before[0] == LEFT_OUT, before[-1] == LEFT_OUT
    first = made.index(before[1]) if skipped else 0
    last = first + len(before) - skipped - ends if ends else len(made)
    return "\n".join([LEFT_OUT] * skipped + made[first:last] + [LEFT_OUT] * ends)


def main() -> None:
    text = page(PAGE.read_text(encoding="utf-8"))
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()

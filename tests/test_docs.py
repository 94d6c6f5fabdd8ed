"""README and docs: every example runs, every code is told of, no link is dead, and the generated page is current."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mmos import errors
from mmos.config.load import from_text
from mmos.rehearsal.fleet import PERSONAS, serve_all
from mmos.rehearsal.host import Host
from mmos.rehearsal.reader import read_cast
from mmos.views.document import LIMITS, UNSERVED
from tests import warm
from tests.checkout import copy_checkout
from tests.embedded import needs_model

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EVERYTHING = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {"sh", "console", "python", "yaml", "json", "text"}
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
EXITS = re.compile(r"#\s*exits (\d+)\s*$")
SOME = "…"


@dataclass(frozen=True)
class Block:
    """One example of a page."""

    page: Path
    line: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, found.start()) + 1, found.group(1), found.group(2))


EXAMPLES = [block for page in PAGES for block in blocks(page)]


def of_kind(*kinds: str) -> list[Block]:
    return [block for block in EXAMPLES if block.kind in kinds]


# ---------------------------------------------------------------- examples that run


@dataclass
class Session:
    """The folder in which a page is followed, and what a command finds around it. Like a terminal it keeps `cd` and `export PATH`."""

    folder: Path
    environment: dict[str, str]

    async def run(self, *command: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            async with asyncio.timeout(60):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            raise
        return process.returncode or 0, said.decode()

    async def type(self, command: str) -> tuple[int, str]:
        if command.startswith("git clone ADDRESS "):
            copy_checkout(self.folder / command.split()[3])
            return 0, ""
        left = Path(self.environment["HOME"]) / "left"
        ended = await self.run("sh", "-c", 'eval "$1"; code=$?; printf "%s\\n" "$PWD" "$PATH" >"$2"; exit $code', "sh", command, str(left))
        folder, self.environment["PATH"] = left.read_text(encoding="utf-8").splitlines()
        self.folder = Path(folder)
        return ended

    async def follow(self, block: Block) -> None:
        if block.kind == "python":
            script = self.folder / f"line_{block.line}.py"
            script.write_text(block.text, encoding="utf-8")
            code, said = await self.run(warm.python(), str(script))
            assert code == 0, f"{block.place}: {said}"
            return
        for command, shown in commands(block):
            if looked_up(command):
                continue
            wanted = EXITS.search(command)
            code, said = await self.type(command)
            assert code == (int(wanted.group(1)) if wanted else 0), f"{block.place}: {command}: {said}"
            assert missing(shown, said) is None, f"{block.place}: {missing(shown, said)!r} is not in, or not in its place in:\n{said}"


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command, with the output that the page shows for it."""
    if block.kind == "sh":
        yield from ((line, []) for line in block.text.splitlines() if line.strip() and not line.startswith("#"))
        return
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def looked_up(command: str) -> bool:
    """Scripts and recipes make environments and run tests: here it is enough that they are there."""
    words = command.split("#")[0].split()
    if words[0].startswith("scripts/"):
        assert os.access(ROOT / words[0], os.X_OK), words[0]
        return True
    if words[0] == "just":
        assert re.search(rf"^{words[1]}\b.*:", (ROOT / "justfile").read_text(encoding="utf-8"), re.MULTILINE), command
        return True
    return False


def missing(shown: list[str], said: str) -> str | None:
    """The first shown line that does not follow in the output; `…` stands for anything."""
    lines = iter(said.splitlines())
    for line in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in line.split(SOME)))
        if line.strip() != SOME and not any(pattern.fullmatch(real) for real in lines):
            return line
    return None


def command_in(folder: Path) -> Path:
    """A folder with `mmos` in it."""
    folder.mkdir()
    command = folder / "mmos"
    command.write_text(f'#!/bin/sh\nexec {warm.python()} -m mmos "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return folder


@asynccontextmanager
async def session(folder: Path) -> AsyncIterator[Session]:
    """An empty folder; the rehearsed fleet is the user's configuration, and its first host this machine's Ollama."""
    home = folder / "home"
    place = folder / "here"
    settings = home / "config" / "mmos" / "orchestration.yaml"
    settings.parent.mkdir(parents=True)
    place.mkdir()
    tools = f"{command_in(folder / 'bin')}{os.pathsep}{Path(sys.executable).parent}"
    casts = {path.stem: read_cast(path) for path in sorted(PERSONAS.glob("*.yaml"))}
    kept = {"keep_alive": 86_400.0}  # what a command of the page has loaded is there for the next one, however busy this machine is
    hosts = [Host(name, cast.models, time_scale=100, **{**cast.host, **kept}) for name, cast in casts.items()]
    async with serve_all(hosts) as fleet:
        settings.write_text(yaml.safe_dump(fleet.orchestration()), encoding="utf-8")
        found = {
            "HOME": home,
            "XDG_CONFIG_HOME": home / "config",
            "XDG_STATE_HOME": home / "state",
            "OLLAMA_HOST": min(fleet.hosts.values()),
        }
        yield Session(
            place, {**os.environ, **{name: str(value) for name, value in found.items()}, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_a_page_can_be_followed_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    async with session(tmp_path) as reader:
        for block in blocks(page):
            if block.kind in ("sh", "console", "python"):
                await reader.follow(block)


def test_examples_are_of_a_known_kind() -> None:
    assert not [block.place for block in EXAMPLES if block.kind not in KINDS]
    assert {block.kind for block in EXAMPLES} >= {"sh", "console", "python", "yaml"}


@pytest.mark.parametrize("block", of_kind("yaml", "json"), ids=lambda block: block.place)
def test_configurations_and_documents_load(block: Block, tmp_path: Path) -> None:
    if block.kind == "json":
        json.loads(block.text)
    elif "orchestration" in yaml.safe_load(block.text):
        assert from_text(block.text, block.place, {"TEAM_TOKEN": "t"}).roles()["arbiter"].model
    else:
        cast = tmp_path / "cast.yaml"
        cast.write_text(block.text, encoding="utf-8")
        assert read_cast(cast).models


def test_a_shown_line_has_to_be_there_and_in_its_place() -> None:
    said = "one\ntwo 22 s\nthree"
    assert missing(["one", SOME, "two … s"], said) is None
    assert missing(["three", "one"], said) == "one"
    assert missing(["two … m"], said) == "two … m"


# ---------------------------------------------------------------- the demo


@pytest.mark.parametrize(
    ("options", "said"),
    [pytest.param([], "135 million parameters", marks=needs_model), (["--rehearse"], "This is a rehearsal")],
    ids=["embedded", "rehearsed"],
)
def test_the_demo_answers_and_says_what_to_type_next(options: list[str], said: str) -> None:
    """Only where `scripts/test` has made the environment: a test makes none."""
    ready = subprocess.run(["sh", "-c", f"root='{ROOT}'; . scripts/environment; environment_is_ready base"], cwd=ROOT, check=False)
    if ready.returncode != 0:
        pytest.skip("the environment was not made by scripts/test")
    done = subprocess.run(
        ["scripts/demo", *options], cwd=ROOT, check=False, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout.splitlines()[0]
    assert len(set(re.findall(r"arbiter → (consult_\w+_specialist)", done.stderr))) >= 2
    assert "config init" in done.stdout.partition("What to type next:")[2]


# ---------------------------------------------------------------- what the pages promise


def family(error: type[errors.MmosError]) -> Iterator[type[errors.MmosError]]:
    yield error
    for child in error.__subclasses__():
        yield from family(child)


def test_every_reason_is_told_of() -> None:
    page = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z_]+)` \|", page.partition("## Reasons")[2], re.MULTILINE))
    passing = {
        "run_failed",
        "limit_reached",
    }  # never a reason: the one is raised by raise_for_status, the other always has a name of its own
    codes = {error.code for error in family(errors.MmosError) if error.__module__.startswith("mmos.")}
    assert told == (codes | LIMITS | UNSERVED | literal_codes()) - passing


def literal_codes() -> set[str]:
    """Codes that are written down where they are used."""
    found = set()
    for path in (ROOT / "mmos").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                first = node.args[:1] if getattr(node.func, "id", "") == "Reason" else []
                values = [*first, *(word.value for word in node.keywords if word.arg in ("code", "limit"))]
                found |= {value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)}
    return found - {""}


def test_no_link_within_the_house_is_dead() -> None:
    dead = []
    for page in EVERYTHING:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            there = page.parent / path if path else page
            if not there.exists() or (anchor and anchor not in anchors(there)):
                dead.append(f"{page.name}: {target}")
    assert not dead


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(("script", "page"), [("docs_cli.py", "cli.md"), ("docs_failures.py", "failures.md")])
def test_a_page_that_a_script_writes_is_current(script: str, page: str) -> None:
    """In a process of its own: commands remember how they were first asked for help."""
    made = subprocess.run([sys.executable, ROOT / "scripts" / script], capture_output=True, check=True, encoding="utf-8")
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == made.stdout, "write it anew: just docs"

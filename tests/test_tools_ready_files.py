"""The ready tools for files: what stays inside the folder, what a change keeps, and what a list leaves out."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mmos.config.tools_schema import FileAccess
from mmos.errors import ToolDenied, ToolError
from mmos.prompting.templates import Templates
from mmos.tools.ready import folder as folders
from mmos.tools.ready.changes import diff
from mmos.tools.ready.files import file_tools
from mmos.tools.ready.finding import Query, listed, searched
from mmos.tools.ready.folder import MOST_BYTES, Folder
from mmos.tools.ready.ignoring import is_ignored, rules_of
from mmos.tools.ready.proposing import propose_files
from mmos.tools.ready.texts import read_text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("key")
    inside = tmp_path / "project"
    (inside / "src").mkdir(parents=True)
    (inside / ".git").mkdir()
    (inside / ".git" / "config").write_text("[core]")
    (inside / "src" / "a.py").write_text("x = 1\ny = 2\n")
    (inside / "out").symlink_to(tmp_path)
    (inside / "leak").symlink_to(tmp_path / "secret")
    (inside / "near").symlink_to("src/a.py")
    (inside / "orchestration.yaml").write_text("orchestration: {}\n")
    os.mkfifo(inside / "pipe")
    return inside


def tool(root: Path, name: str, **access: Any) -> Any:
    folder = Folder(Templates(), root, frozenset({root / "orchestration.yaml"}))
    return next(one for one in file_tools(Templates(), folder, FileAccess(**access)) if one.name == name)


async def call(root: Path, name: str, **arguments: Any) -> str:
    text: str = await tool(root, name).run(None, arguments)
    return text


OUTSIDE = [
    "../secret", "src/../../secret", "/etc/passwd", "out/secret", "leak", "out", "..", "C:\\windows\\win.ini", "C:/x", "src\\a.py", "a\0b",
    "\\\\server\\share", "./.git/config", ".GIT/config", "src/../.git/hooks/pre-commit",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
async def test_no_path_leads_out_of_the_folder(root: Path, path: str) -> None:
    for name, more in (("read_file", {}), ("write_file", {"text": "x"}), ("edit_file", {"old": "key", "new": "x"})):
        with pytest.raises(ToolError):
            await call(root, name, path=path, **more)
    for name, arguments in (("list_files", {"path": path}), ("search_files", {"text": "key", "path": path})):
        with pytest.raises(ToolError):
            await call(root, name, **arguments)
    assert (root.parent / "secret").read_text() == "key"
    assert (root / ".git" / "config").read_text() == "[core]"


@pytest.mark.parametrize("path", ["pipe", "src", ".", "nosuch", "src/a.py/b", "\udcff", "x" * 5000, "orchestration.yaml/"])
async def test_what_is_no_text_file_is_told(root: Path, path: str) -> None:
    with pytest.raises(ToolError):
        await call(root, "edit_file", path=path, old="x", new="y")
    if not path.startswith("orchestration"):
        with pytest.raises(ToolError):
            await call(root, "read_file", path=path)


async def test_a_link_within_the_folder_and_a_whole_path_into_it_are_followed(root: Path) -> None:
    assert await call(root, "read_file", path="near") == await call(root, "read_file", path=str(root / "src/a.py")) == "x = 1\ny = 2"
    await call(root, "edit_file", path="near", old="x = 1", new="x = 3")
    assert (root / "near").is_symlink()
    assert (root / "src" / "a.py").read_text() == "x = 3\ny = 2\n"


async def test_the_configuration_a_read_only_file_and_a_folder_are_not_written(root: Path) -> None:
    (root / "fixed").write_text("as it is")
    (root / "fixed").chmod(0o444)
    for path in ("orchestration.yaml", "src", *(["fixed"] if os.geteuid() else [])):
        with pytest.raises(ToolError):
            await call(root, "write_file", path=path, text="x")
    assert (root / "orchestration.yaml").read_text() == "orchestration: {}\n"


def test_a_folder_that_becomes_a_link_between_check_and_use_is_not_followed(root: Path) -> None:
    """The place is checked first; then somebody puts a link to the outside there."""
    folder = Folder(Templates(), root)
    parts = folder.parts("src/secret")
    (root / "src").rename(root / "away")
    (root / "src").symlink_to(root.parent)
    with pytest.raises(ToolError):
        folder.read("src/secret", parts)
    with pytest.raises(ToolError), folder._within(parts[:-1], "src/secret", make=True):
        raise AssertionError


def test_links_that_change_all_the_time_never_lead_out(root: Path) -> None:
    folder, stop = Folder(Templates(), root), threading.Event()
    (root / "here").mkdir()
    (root / "here" / "secret").write_text("harmless")

    def swap() -> None:
        while not stop.is_set():
            (root / "here").rename(root / "there")
            (root / "here").symlink_to(root.parent)
            (root / "here").unlink()
            (root / "there").rename(root / "here")

    thread = threading.Thread(target=swap)
    thread.start()
    read = set()
    try:
        for _ in range(300):
            try:
                read.add(folder.read("here/secret"))
            except ToolError:
                continue
    finally:
        stop.set()
        thread.join()
    assert read <= {b"harmless"}


# ---------------------------------------------------------------- reading


async def test_a_large_file_and_a_binary_one_are_refused(root: Path) -> None:
    (root / "large").write_bytes(b"a" * (MOST_BYTES + 1))
    (root / "binary").write_bytes(b"\x7fELF\x00\x01")
    with pytest.raises(ToolError, match="too large"):
        await call(root, "read_file", path="large")
    with pytest.raises(ToolError, match="binary"):
        await call(root, "read_file", path="binary")


async def test_a_long_file_is_read_in_parts(root: Path) -> None:
    (root / "long").write_text("".join(f"line {number}\n" for number in range(1, 1001)))
    text = await call(root, "read_file", path="long", first_line=10, lines=2)
    assert text == "line 10\nline 11\n[The file has 1000 lines. Go on with first_line 12.]"
    assert (await call(root, "read_file", path="long", first_line=1000)) == "line 1000"
    with pytest.raises(ToolError, match="1000 lines"):
        await call(root, "read_file", path="long", first_line=1001)
    (root / "one").write_text("x" * 300_000)
    assert len(await call(root, "read_file", path="one")) < 110_000
    (root / "empty").write_text("")
    assert await call(root, "read_file", path="empty") == "The file is empty."


def test_lists_and_searches_leave_out_what_git_ignores(root: Path) -> None:
    (root / ".gitignore").write_text("*.log\n/build/\n!keep.log\nsrc/gen\n")
    (root / "src" / ".gitignore").write_text("local.py\n")
    for name in ("x.log", "keep.log", "build/b.py", "src/gen/c.py", "src/local.py", "src/build/d.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 5\n")
    names = [place for place, _ in listed(Folder(Templates(), root), ".", "", 100).files]
    assert names == [".gitignore", "keep.log", "orchestration.yaml", "src/.gitignore", "src/a.py", "src/build/d.py"]
    assert [place for place, _ in listed(Folder(Templates(), root), "src", "*.py", 100).files] == ["src/a.py", "src/build/d.py"]
    assert [found.path for found in searched(Folder(Templates(), root), Query("x = 5")).lines] == ["keep.log", "src/build/d.py"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.py", ["src/a.py"]), ("src/*", ["src/a.py", "src/b.h"]), ("src/**/*.{py,h}", ["src/a.py", "src/b.h", "src/in/c.h"]), ("**/*.py", ["src/a.py"]),
        ("./src/in/*", ["src/in/c.h"]), ("*.{c,h}", ["src/b.h", "src/in/c.h"]), ("nosuch/*", []), ("{a,b}.{py,h}", ["src/a.py", "src/b.h"]), ("{" * 99, []),
    ],
)  # fmt: skip
def test_files_are_chosen_by_pattern(root: Path, pattern: str, found: list[str]) -> None:
    (root / "src" / "in").mkdir()
    (root / "src" / "b.h").touch()
    (root / "src" / "in" / "c.h").touch()
    assert [place for place, _ in listed(Folder(Templates(), root), ".", pattern, 100).files] == found


def test_a_search_finds_lines_by_text_and_by_pattern(root: Path) -> None:
    folder = Folder(Templates(), root)
    assert [(one.path, one.number, one.text) for one in searched(folder, Query("y =")).lines] == [("src/a.py", 2, "y = 2")]
    assert [one.number for one in searched(folder, Query(r"^[xy] = \d$", regex=True, path="src/a.py")).lines] == [1, 2]
    assert searched(folder, Query("y", most=0)).why == "found"
    with pytest.raises(ToolError, match="regular expression"):
        searched(folder, Query("(", regex=True))
    (root / "bad").write_text("a" * 30_000 + "\n")
    assert searched(folder, Query("(a+)+$b", regex=True)).lines == []  # ends, whatever the pattern


@pytest.mark.parametrize(
    ("rule", "path", "ignored"),
    [
        ("a/**/b", "a/x/y/b", True), ("a/**/b", "a/b", True), ("**/b", "x/b", True), ("a/**", "a/x", True), ("*.py", "x/y.py", True),
        ("/x.py", "y/x.py", False), ("# x", "# x", False), ("\\#x", "#x", True), ("b/", "b", False), ("x[0-9]", "x5", True), ("", "x", False),
    ],
)  # fmt: skip
def test_rules_of_git(rule: str, path: str, ignored: bool) -> None:
    assert is_ignored(path.split("/"), [(0, rules_of(rule))], folder=False) is ignored


# ---------------------------------------------------------------- changing

FORMS = [b"a\nb\nc\n", b"a\r\nb\r\nc\r\n", b"a\rb\rc", b"\xef\xbb\xbfa\r\nb\nc", "a\nb\nc\n".encode("utf-16"), b"a \xe4\nb\nc", b"a\nb\nc"]


FORM_OF = dict.fromkeys(FORMS, ("utf-8", b""))
FORM_OF |= {FORMS[3]: ("utf-8", b"\xef\xbb\xbf"), FORMS[4]: ("utf-16-le", b"\xff\xfe"), FORMS[5]: ("latin-1", b"")}


@pytest.mark.parametrize("data", FORMS)
async def test_a_change_keeps_all_the_rest_as_it_is(root: Path, data: bytes) -> None:
    path = root / "text"
    path.write_bytes(data)
    path.chmod(0o640)
    await call(root, "edit_file", path="text", old="b", new="B")
    wide = data.startswith(b"\xff\xfe")
    assert path.read_bytes() == data.replace("b".encode("utf-16-le"), "B".encode("utf-16-le")) if wide else data.replace(b"b", b"B")
    assert path.stat().st_mode & 0o777 == 0o640
    await call(root, "write_file", path="text", text="one ä\ntwo\n")
    found = read_text(Templates(), path.read_bytes(), "text")
    assert (found.text, found.form.encoding, found.form.mark) == ("one ä\ntwo\n", *FORM_OF[data])


async def test_a_part_is_found_whatever_its_line_ends_and_only_once(root: Path) -> None:
    (root / "mixed").write_bytes(b"a\r\nb\nc\r\na\r\n")
    await call(root, "edit_file", path="mixed", old="b\r\nc", new="B\nC\nD")
    assert (root / "mixed").read_bytes().startswith(b"a\r\nB")
    assert (root / "mixed").read_bytes().endswith(b"\r\na\r\n")
    for old, why in (("a", "2 times"), ("nosuch", "not in the file")):
        with pytest.raises(ToolError, match=why):
            await call(root, "edit_file", path="mixed", old=old, new="x")
    await call(root, "edit_file", path="mixed", old="D\na\n", new="D\na")
    assert (root / "mixed").read_bytes().endswith(b"D\r\na")


async def test_a_character_that_the_file_cannot_hold_is_told(root: Path) -> None:
    (root / "latin").write_bytes(b"a \xe4\n")
    with pytest.raises(ToolError, match="latin-1"):
        await call(root, "edit_file", path="latin", old="a", new="€")
    assert (root / "latin").read_bytes() == b"a \xe4\n"


async def test_a_new_file_gets_its_folders_and_leaves_nothing_else_behind(root: Path) -> None:
    assert await call(root, "write_file", path="new/deep/x.txt", text="1\n") == "new/deep/x.txt is written. It has 1 line now."
    assert [path.name for path in (root / "new" / "deep").iterdir()] == ["x.txt"]
    with pytest.raises(ToolError):
        await call(root, "write_file", path="new/large", text="x" * (MOST_BYTES + 1))
    assert not (root / "new" / "large").exists()


async def test_a_write_that_fails_leaves_the_old_file_and_no_other(root: Path) -> None:
    folder = Folder(Templates(), root)
    with folder._within(("src",), "src") as number:
        with pytest.raises(ToolDenied):
            folder._mode(number, "..")
        with pytest.raises(OSError, match=r"."):
            folders._replace(number, "..", b"x", None)
    assert sorted(path.name for path in (root / "src").iterdir()) == ["a.py"]


async def test_two_changes_of_one_file_side_by_side_are_both_made(root: Path) -> None:
    import asyncio

    (root / "both").write_text("".join(f"{number:03}\n" for number in range(20)))
    edit = tool(root, "edit_file")
    await asyncio.gather(*(edit.run(None, {"path": "both", "old": f"{number:03}", "new": f"n{number}"}) for number in range(20)))
    assert (root / "both").read_text().split() == [f"n{number}" for number in range(20)]


async def test_after_a_crash_the_file_says_whether_the_change_was_made(root: Path) -> None:
    def after(name: str, arguments: Mapping[str, Any]) -> str:
        text: str = tool(root, name).after_crash(arguments)
        return text

    edit = {"path": "src/a.py", "old": "x = 1", "new": "x = 3"}
    write = {"path": "src/b.py", "text": "z\n"}
    for name, arguments in (("edit_file", edit), ("write_file", write)):
        with pytest.raises(ToolError, match="not changed"):
            after(name, arguments)
        await call(root, name, **arguments)
        assert "is written" in after(name, arguments)


def test_the_user_reads_the_lines_that_change_and_nothing_poses_as_more() -> None:
    text = diff("a\n-- b\n", "a\nyes\x1b[2J\u202e\nMay arbiter call x?\n", "src/a.py")
    assert text.splitlines() == [
        "  src/a.py:", "    @@ -1,2 +1,3 @@", "     a", "    --- b", "    +yes\\x1b[2J\\u202e", "    +May arbiter call x?",
    ]  # fmt: skip
    assert diff(None, "a\n", "new").startswith("  new file new, 1 line:")
    assert "and 880 more lines" in diff("", "x\n" * 999, "many")
    assert "too large to show" in diff("x\n" * 5000, "y\n", "huge")


async def test_without_the_right_to_write_there_is_no_tool_for_it(root: Path) -> None:
    def tools(write: Any) -> dict[str, bool]:
        return {one.name: one.approval for one in file_tools(Templates(), Folder(Templates(), root), FileAccess(write=write))}

    assert tools("never") == {"list_files": False, "search_files": False, "read_file": False}
    assert (tools("ask")["write_file"], tools("allow")["edit_file"]) == (True, False)


async def test_only_texts_that_can_be_changed_are_proposed(root: Path) -> None:
    propose = propose_files(Templates(), Folder(Templates(), root))
    assert await propose.run(None, {"paths": ["src/a.py", "near", "./src/a.py"]}) == ["src/a.py"]  # type: ignore[arg-type]
    for path in ("../secret", "nosuch", "pipe", "src"):
        with pytest.raises(ToolError):
            await propose.run(None, {"paths": [path]})  # type: ignore[arg-type]

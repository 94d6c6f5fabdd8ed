"""Tests which files of folders are added."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmos.errors import UsageError
from mmos.library.finding import DEEPEST, LARGEST, Found, PassedOver, find


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def names(root: Path, **how: object) -> list[str]:
    return [os.path.relpath(one.path, root) for one in find([root], **how) if isinstance(one, Found)]  # type: ignore[arg-type]


def test_files_come_in_a_fixed_order_with_their_size_and_their_folder(tmp_path: Path) -> None:
    tree(tmp_path, {"b.md": "1", "a/z.md": "22", "a/y.md": "333"})
    found = list(find([tmp_path]))
    assert [one.path for one in found] == [str(tmp_path / name) for name in ("a/y.md", "a/z.md", "b.md")]
    assert [(one.root, one.size) for one in found if isinstance(one, Found)] == [(str(tmp_path), size) for size in (3, 2, 1)]


def test_what_gitignore_names_is_left_out(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            ".gitignore": "*.log\nbuild/\n/top.md\n",
            "a.log": "",
            "a.md": "",
            "top.md": "",
            "sub/top.md": "",
            "build/b.md": "",
            "sub/build/c.md": "",
        },
    )
    assert names(tmp_path) == [".gitignore", "a.md", "sub/top.md"]
    assert len(names(tmp_path, ignore=False)) == 7


def test_a_nearer_gitignore_decides(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "*.log\n", "sub/.gitignore": "!keep.log\n", "sub/keep.log": "", "sub/other.log": ""})
    assert names(tmp_path) == [".gitignore", "sub/.gitignore", "sub/keep.log"]


def test_the_rules_of_the_repository_above_hold(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {".git/info/exclude": "secret.md\n", ".gitignore": "docs/*.tmp\n", "docs/a.tmp": "", "docs/secret.md": "", "docs/b.md": ""},
    )
    assert names(tmp_path / "docs") == ["b.md"]


def test_a_file_that_is_named_is_there_in_any_case(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "*.log\n", "a.log": "x"})
    (one,) = find([tmp_path / "a.log"])
    assert isinstance(one, Found)
    assert one.root == ""


def test_what_the_caller_excludes_is_left_out(tmp_path: Path) -> None:
    tree(tmp_path, {"a.md": "", "a.min.js": "", "old/b.md": ""})
    assert names(tmp_path, exclude=["*.min.js", "old/"]) == ["a.md"]


def test_what_programs_keep_for_themselves_is_never_looked_at(tmp_path: Path) -> None:
    tree(tmp_path, {".git/config": "", "node_modules/x/a.js": "", ".mmos/journal": "", "a.md": ""})
    assert names(tmp_path) == ["a.md"]


def test_links_are_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    tree(tmp_path, {"in/a.md": "x", "out/b.md": "y"})
    inside = tmp_path / "in"
    (inside / "same.md").symlink_to("a.md")
    (inside / "away.md").symlink_to("../out/b.md")
    (inside / "folder").symlink_to("../out")
    (inside / "gone.md").symlink_to("nothing")
    (inside / "loop").symlink_to(".")
    found = list(find([inside]))
    assert [one.path for one in found if isinstance(one, Found)] == [str(inside / "a.md")]
    told = {Path(one.path).name: one.why for one in found if isinstance(one, PassedOver)}
    assert told == {
        "away.md": "it is a link that leads out of the folder",
        "folder": "it is a link that leads out of the folder",
        "gone.md": "it is a link to nothing",
    }


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (one,) = find([tmp_path])
    assert isinstance(one, PassedOver)
    assert "no file that can be read" in one.why


def test_a_huge_file_is_told(tmp_path: Path) -> None:
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(LARGEST + 1)
    (one,) = find([tmp_path])
    assert isinstance(one, PassedOver)
    assert one.why == "it is larger than 64 MB"


@pytest.mark.parametrize("name", ["nothing", "null\0character", "x" * 5000])
def test_what_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    (one,) = find([tmp_path / name])
    assert isinstance(one, PassedOver)
    assert one.why


@pytest.mark.parametrize("line", ["!", "\\", "a\\", "[z-a]"])
def test_a_line_of_gitignore_that_is_no_pattern_counts_nothing(tmp_path: Path, line: str) -> None:
    tree(tmp_path, {".gitignore": f"{line}\n*.log\n", "a.log": "", "a.md": ""})
    assert names(tmp_path) == [".gitignore", "a.md"]


def test_gitignore_may_begin_with_a_mark_of_utf_8(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "\ufeff*.log\n", "a.log": ""})
    assert names(tmp_path) == [".gitignore"]


def test_a_pipe_that_is_called_gitignore_is_not_read(tmp_path: Path) -> None:
    tree(tmp_path, {"a.md": ""})
    os.mkfifo(tmp_path / ".gitignore")
    assert names(tmp_path) == ["a.md"]


def test_an_exclusion_that_is_no_pattern_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pattern"):
        list(find([tmp_path], exclude=["[z-a]"]))


@pytest.mark.parametrize("named", ["build", "build/deep"])
def test_a_folder_that_is_named_is_there_in_any_case(tmp_path: Path, named: str) -> None:
    tree(
        tmp_path,
        {".git/HEAD": "", ".gitignore": "build/\n", "build/deep/a.md": "", "build/deep/.gitignore": "*.log\n", "build/deep/a.log": ""},
    )
    assert [Path(name).name for name in names(tmp_path / named)] == [".gitignore", "a.md"]


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.md"
    try:
        with open(path, "w"):  # noqa: PTH123
            pass
    except OSError:
        pytest.skip("this file system takes no such name")
    assert [one.why for one in find([tmp_path]) if isinstance(one, PassedOver)] == ["its name is not in UTF-8"]


def test_folders_that_are_too_deep_are_told(tmp_path: Path) -> None:
    (tmp_path / "/".join("d" * (DEEPEST + 5))).mkdir(parents=True)
    (one,) = find([tmp_path])
    assert isinstance(one, PassedOver)
    assert one.why == "it is more than 200 folders deep"

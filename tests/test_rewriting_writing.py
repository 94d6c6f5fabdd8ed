"""Rewrites over line ends, encodings, marks, links and crashes at each step: every file is the old one or the new one, and all or none."""

import os
from collections.abc import Callable
from itertools import count, product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.errors import UsageError
from mmos.rewriting.sources import source_of, sources_of, tree_of
from mmos.rewriting.writing import Change, settle, take_back, unfinished, write

ENDS = ("\n", "\r\n", "\r", "mixed")
FORMS = (
    ("utf-8", b""),
    ("utf-8", b"\xef\xbb\xbf"),
    ("utf-16-le", b"\xff\xfe"),
    ("utf-16-be", b"\xfe\xff"),
    ("latin-1", b""),
    ("utf-16-le", b""),
)
FINAL = (True, False)
LINKS = (False, True)
LINES = ("def a():", "    return 'ä'", "", "def b():", "    return 2", "x = a()", "y = b()")


class Crash(BaseException):
    """The process is gone."""


def crash_at(step: int) -> Callable[[str], None]:
    steps = count()

    def stop(_name: str) -> None:
        if next(steps) == step:
            raise Crash

    return stop


def encoded(lines: tuple[str, ...], end: str, form: tuple[str, bytes], *, final: bool) -> bytes:
    ends = [("\n", "\r\n", "\r")[number % 3] if end == "mixed" else end for number in range(len(lines))]
    text = "".join(line + end for line, end in zip(lines, ends, strict=True))
    return form[1] + (text if final else text.removesuffix(ends[-1])).encode(form[0])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    return tmp_path / "tree"


@pytest.mark.parametrize(("end", "form", "final", "link"), [*product(ENDS, FORMS, FINAL, LINKS)])
def test_a_rewrite_keeps_the_form_of_the_file(
    tree: Path, tmp_path: Path, end: str, form: tuple[str, bytes], final: bool, link: bool
) -> None:
    file = tree / "a.py"
    file.write_bytes(encoded(LINES, end, form, final=final))
    file.chmod(0o750)
    named = file
    if link:
        named = tree / "link.py"
        named.symlink_to("a.py")
    source = source_of(named, tree)
    assert source.text.text == "\n".join(LINES) + "\n" * final
    assert source.text.bytes_of(source.text.text) == source.data
    new = source.text.text.replace("return 2", "return 3").rstrip("\n") + "\n"  # as models write it
    write([Change(source, source.text.bytes_of(new))], tmp_path / "state", tree, "W1").finish()
    changed = tuple(line.replace("return 2", "return 3") for line in LINES)
    assert file.read_bytes() == encoded(changed, end, form, final=final)
    assert file.stat().st_mode & 0o777 == 0o750
    assert named.is_symlink() == link
    assert sorted(one.name for one in tree.iterdir()) == sorted({".git", "a.py", named.name})
    assert take_back(tmp_path / "state", tree) == ["a.py"]
    assert file.read_bytes() == source.data


@pytest.mark.parametrize("step", range(40))
def test_a_crash_at_any_step_leaves_all_or_nothing(tree: Path, tmp_path: Path, step: int) -> None:
    state = tmp_path / "state"
    old = {"a.txt": b"one\r\ntwo", "b.txt": b"\xff\xfea\x00\n\x00", "c.txt": b"caf\xe9\n"}
    for name, data in old.items():
        (tree / name).write_bytes(data)
    changes = [Change(source, source.data + source.data) for source in sources_of([tree / name for name in old], tree)]
    new = {change.source.name: change.data for change in changes}
    finished = False
    try:
        write(changes, state, tree, "W1", crash_at(step)).finish()
        finished = True
    except Crash:
        pass
    for name in old:
        assert (tree / name).read_bytes() in (old[name], new[name]), "a file is half written"
    left = unfinished(state, tree)
    assert finished <= (not left)
    assert all(not others for _, others in settle(state, tree))
    now = {name: (tree / name).read_bytes() for name in old}
    assert now == new if finished else now in (old, new)
    assert now == old if left else True
    assert {one.name for one in tree.iterdir()} == {".git", *old}
    assert unfinished(state, tree) == []


def test_the_steps_above_reach_the_end(tree: Path, tmp_path: Path) -> None:
    (tree / "a").write_text("1\n")
    steps: list[str] = []
    write([Change(source_of(tree / "a", tree), b"2\n")], tmp_path / "state", tree, "W1", steps.append).finish()
    assert {"keep", "keep bytes", "ready", "create", "half", "mode", "flush", "replace", "flush folder", "finish"} == set(steps)
    assert 3 * sum(name not in ("keep", "ready", "finish") for name in steps) < 40


def test_what_somebody_else_wrote_meanwhile_stays(tree: Path, tmp_path: Path) -> None:
    for name in "ab":
        (tree / name).write_text("old\n")
    changes = [Change(source, b"new\n") for source in sources_of([tree / "a", tree / "b"], tree)]
    with pytest.raises(Crash):
        write(changes, tmp_path / "state", tree, "W1", crash_at(20)).finish()
    assert (tree / "a").read_text() == "new\n"
    (tree / "a").write_text("mine\n")
    (found,) = settle(tmp_path / "state", tree)
    assert found[1] == ["a"]
    assert (tree / "a").read_text() == "mine\n"
    assert (tree / "b").read_text() == "old\n"
    assert settle(tmp_path / "state", tree) == []


def test_a_file_that_changed_since_it_was_read_is_refused(tree: Path, tmp_path: Path) -> None:
    for name in "ab":
        (tree / name).write_text("old\n")
    changes = [Change(source, b"new\n") for source in sources_of([tree / "a", tree / "b"], tree)]
    (tree / "b").write_text("other\n")
    with pytest.raises(UsageError, match="b has changed on the disk"):
        write(changes, tmp_path / "state", tree, "W1")
    assert (tree / "a").read_text() == "old\n"
    assert unfinished(tmp_path / "state", tree) == []


def test_files_that_are_not_rewritten_say_why(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    (tree / "link").symlink_to(outside)
    (tree / "bytes").write_bytes(b"\x00\x01\x02\xff")
    (tree / "locked").write_text("x")
    (tree / "locked").chmod(0o444)
    (tree / "twice").write_text("x")
    os.link(tree / "twice", tree / "again")
    (tree / ".git" / "config").write_text("x")
    for name, reason in {
        "../outside.txt": "outside of the working tree", "link": "It is a link", "bytes": "is no text", "locked": "read-only",
        "twice": "2 names", ".git/config": "belongs to git", "none": "no such file", ".": "is a directory.",
    }.items():  # fmt: skip
        with pytest.raises(UsageError, match=reason):
            source_of(tree / name, tree)


def test_a_state_folder_of_a_stranger_leads_nowhere_else(tree: Path, tmp_path: Path) -> None:
    """Its plan may name any file: only files of this working tree are put back."""
    victim = tmp_path / "victim"
    victim.write_text("new\n")
    (tree / "a").write_text("old\n")
    with pytest.raises(Crash):
        write([Change(source_of(tree / "a", tree), b"new\n")], tmp_path / "state", tree, "W1", crash_at(13)).finish()
    plan = tmp_path / "state" / "rewrites" / "W1" / "plan.json"
    plan.write_text(plan.read_text().replace(str(tree / "a"), str(victim)))
    assert settle(tmp_path / "state", tree) == []
    assert victim.read_text() == "new\n"


def test_two_at_once_do_not_write_into_each_other(tree: Path, tmp_path: Path) -> None:
    (tree / "a").write_text("old\n")
    source = source_of(tree / "a", tree)
    first = write([Change(source, b"new\n")], tmp_path / "state", tree, "W1")
    with pytest.raises(UsageError, match="Another"):
        write([Change(source, b"other\n")], tmp_path / "state", tree, "W2")
    with pytest.raises(UsageError, match="Another"):
        settle(tmp_path / "state", tree)
    assert first.undo() == []
    assert (tree / "a").read_text() == "old\n"


def test_a_character_that_the_encoding_lacks_is_told(tree: Path) -> None:
    (tree / "a").write_bytes(b"caf\xe9\n")
    with pytest.raises(UsageError, match="latin-1, which has no '→'"):
        source_of(tree / "a", tree).text.bytes_of("café →\n")


def test_the_working_tree_is_that_of_git(tree: Path, tmp_path: Path) -> None:
    (tree / "deep" / "er").mkdir(parents=True)
    assert tree_of(tree / "deep" / "er") == tree
    (tmp_path / "other").mkdir()
    assert tree_of(tmp_path / "other") == tmp_path / "other"


ODD_LINES = st.lists(st.text(st.sampled_from("ab é\t\x0c"), max_size=6), max_size=8)
ANY_ENDS = st.lists(st.sampled_from(("\n", "\r\n", "\r")), min_size=9, max_size=9)


@given(ODD_LINES, ANY_ENDS, st.sampled_from(FORMS[:5]), st.booleans(), ODD_LINES, st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_any_text_is_rewritten_whole_or_not_at_all(
    lines: list[str], ends: list[str], form: tuple[str, bytes], final: bool, new: list[str], step: int
) -> None:
    text = "".join(map("".join, zip(lines, ends, strict=False)))
    data = form[1] + (text if final or not lines else text + "b").encode(form[0])
    with TemporaryDirectory() as folder:
        tree = Path(os.path.realpath(folder), "tree")
        tree.mkdir()
        (tree / "a").write_bytes(data)
        source = source_of(tree / "a", tree)
        wanted = source.text.fitted("\n".join(new))
        written = source.text.bytes_of(wanted)
        try:
            write([Change(source, written)], tree.parent / "state", tree, "W1", crash_at(step)).finish()
        except Crash:
            settle(tree.parent / "state", tree)
        now = (tree / "a").read_bytes()
        assert now in (data, written)
        read = source_of(tree / "a", tree).text
        assert read.text in (source.text.text, wanted)
        assert read.form.mark == source.text.form.mark
        assert set(read.form.ends) <= (set(source.text.form.ends) or {"\n"})

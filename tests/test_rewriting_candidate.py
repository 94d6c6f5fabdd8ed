"""What is read out of an answer: the file, mended where that is safe, and never a text that is not the file."""

import pytest

from mmos.rewriting.candidate import Unusable, candidate

OLD = """import os


def first(path):
    return os.stat(path)


def second(path):
    # -- the size
    return first(path).st_size


def third(path):
    return second(path) + 1
"""
NEW = OLD.replace("def second(path):", 'def second(path):\n    """The size of a file."""')
BLOCK = f"```python\n{NEW}```"
PART = 'def second(path):\n    """The size of a file."""\n    # -- the size\n    return first(path).st_size\n'
DIFF = """--- a/x.py
+++ b/x.py
@@ -70,4 +70,5 @@
 def second(path):
+    \"\"\"The size of a file.\"\"\"
     # -- the size
     return first(path).st_size

"""
SEARCH = """<<<<<<< SEARCH
def second(path):
=======
def second(path):
    \"\"\"The size of a file.\"\"\"
>>>>>>> REPLACE
"""
PAGE = "# Title\n\nText.\n\n```sh\nmake\n```\n\nMore text.\n"


@pytest.mark.parametrize(
    ("answer", "mended"),
    [
        (BLOCK, ""),
        (NEW, ""),
        (BLOCK.replace("\n", "\r\n"), ""),
        (f"Sure! Here is the file:\n\n{BLOCK}\n\nI added a docstring.", "the words around"),
        (f"Here is the new file:\n\n{NEW}", "the words before"),
        (f"First, a usage:\n```python\nfirst('x')\n```\nThe file:\n{BLOCK}", "the other blocks"),
        (DIFF, "its diff"),
        (f"Here is the diff:\n```diff\n{DIFF}```", "its diff"),
        (DIFF.replace("@@ -70,4 +70,5 @@", "@@ def second @@"), "its diff"),
        (SEARCH, "its SEARCH"),
        (f"I change one place.\n```\n{SEARCH}```", "its SEARCH"),
        (f"~~~~\n{NEW}~~~~", ""),
    ],
)
def test_an_answer_gives_the_file(answer: str, mended: str) -> None:
    found = candidate(answer, OLD)
    assert found.text.rstrip("\n") == NEW.rstrip("\n")
    assert found.mended.startswith(mended)
    assert bool(found.mended) == bool(mended)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("", "empty"),
        ("``` \n```", "empty"),
        ("The function `second` would profit from a docstring. It gives the size of the file.", "not_the_file"),
        ("I'm sorry, but I cannot change this file.", "refused"),
        (f"```python\n{NEW}", "no_end"),
        (f"```python\n{PART}```\n\n```python\ndef third(path): return 1\n```", "several_blocks"),
        ("```python\nimport os\n\n# ... rest of the code unchanged ...\n```", "left_out"),
        (f"```python\n{PART}# (existing code)\n```", "left_out"),
        (f"```python\n{PART}    // ...\n```", "left_out"),
        (f"```python\n{PART}\n# The rest of the file stays the same\n```", "left_out"),
        (f"```python\n{PART}\n... remaining functions ...\n```", "left_out"),
        (f"```python\n{PART}```", "much_missing"),
        (DIFF.replace(" def second(path):", " def zweite(path):"), "not_applied"),
        (f"{DIFF}\n--- a/y.py\n+++ b/y.py\n@@ -1 +1 @@\n-a\n+b\n", "not_applied"),
        (SEARCH.replace("def second(path):\n====", "(path):\n===="), "not_applied"),
        (SEARCH.replace(">>>>>>> REPLACE", ""), "not_applied"),
        ("<<<<<<< SEARCH\n\n=======\nx\n>>>>>>> REPLACE", "not_applied"),
    ],
)
def test_an_answer_that_is_not_the_file_is_refused(answer: str, fault: str) -> None:
    with pytest.raises(Unusable) as refused:
        candidate(answer, OLD)
    assert refused.value.fault == fault
    assert str(refused.value)


def test_an_answer_that_was_cut_off_is_refused() -> None:
    with pytest.raises(Unusable) as refused:
        candidate(BLOCK, OLD, ended=False)
    assert refused.value.fault == "no_end"


def test_a_diff_may_take_away_a_line_that_looks_like_a_head() -> None:
    old = "select 1;\n-- twice\nselect 2;\n"
    assert candidate("@@ -1,3 +1,2 @@\n select 1;\n--- twice\n select 2;\n", old).text == "select 1;\nselect 2;\n"


def test_a_diff_without_lines_around_it_goes_where_it_says() -> None:
    assert candidate("--- a\n+++ b\n@@ -2,0 +3 @@\n+c\n", "a\nb\nd\n").text == "a\nb\nc\nd\n"


@pytest.mark.parametrize(
    "answer",
    [f"````markdown\n{PAGE}````", PAGE, f"```markdown\n{PAGE}```", f"Here is the page:\n\n````\n{PAGE}````\nDone."],
)
def test_a_page_keeps_its_own_blocks_of_code(answer: str) -> None:
    assert candidate(answer, PAGE.replace("More", "Some")).text.rstrip("\n") == PAGE.rstrip("\n")


def test_a_file_of_prose_may_come_without_a_block() -> None:
    old = "We went home.\nIt were late.\nNobody spoke.\nThe end.\n"
    assert candidate(old.replace("were", "was"), old).text == old.replace("were", "was")


def test_dots_that_the_file_has_are_no_omission() -> None:
    old = "class A:\n    ...\n\n# ... the rest\n"
    assert candidate(f"```\n{old}x = 1\n```", old).text == f"{old}x = 1\n"


def test_an_empty_file_gets_what_a_block_holds() -> None:
    assert candidate("```\nx = 1\n```", "").text == "x = 1\n"


def test_a_first_line_that_only_names_the_file_is_left_out() -> None:
    for line in ("# src/x.py", "// x.py", "File: src/x.py"):
        assert candidate(f"```python\n{line}\n{NEW}```", OLD, "src/x.py").text == NEW
    named = f"# x.py\n{OLD}"
    assert candidate(f"```\n{named}```", named, "x.py").text == named


@pytest.mark.parametrize(("start", "stop"), [(0, 28), (12, 40)])
def test_an_answer_that_lacks_an_end_of_the_file_may_be_a_part(start: int, stop: int) -> None:
    lines = [f"line {number}" for number in range(40)]
    with pytest.raises(Unusable) as refused:
        candidate("\n".join(["```", *lines[start:stop], "```"]), "\n".join([*lines, ""]))
    assert (refused.value.fault, str(refused.value).split(" lines")[0][-2:]) == ("much_missing", "12")
    assert refused.value.text is not None

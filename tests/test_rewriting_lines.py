"""Hunks: what they show, and what the text is when only some of them are taken."""

from hypothesis import given
from hypothesis import strategies as st

from mmos.rewriting.lines import hunks, taken, unified

TEXTS = st.lists(st.sampled_from("abcd"), max_size=30).map("\n".join)


@given(TEXTS, TEXTS)
def test_all_hunks_give_the_new_text_and_none_the_old_one(before: str, after: str) -> None:
    found = hunks(before, after)
    assert taken(before, after, found, range(len(found))) == after
    assert taken(before, after, found, ()) == before


def test_one_of_two_hunks() -> None:
    before = "".join(f"{number}\n" for number in range(30))
    after = before.replace("\n3\n", "\nthree\n").replace("\n25\n", "\n25\n25b\n")
    found = hunks(before, after)
    assert [(hunk.added, hunk.removed) for hunk in found] == [(1, 1), (1, 0)]
    assert taken(before, after, found, [1]) == before.replace("\n25\n", "\n25\n25b\n")


def test_a_diff_is_of_the_usual_kind() -> None:
    assert unified("a.py", "one\ntwo\nthree", "one\n2\nthree") == [
        "--- a/a.py", "+++ b/a.py", "@@ -1,3 +1,3 @@", " one", "-two", "+2", " three", "\\ No newline at end of file",
    ]  # fmt: skip
    assert unified("a.py", "x\n", "x\n") == []
    assert unified("a.py", "", "x\n") == ["--- a/a.py", "+++ b/a.py", "@@ -0,0 +1 @@", "+x"]

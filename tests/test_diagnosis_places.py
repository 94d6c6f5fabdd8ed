"""The places in source files that lines of logs name."""

from __future__ import annotations

import pytest

from mmos.diagnosis.log import Line
from mmos.diagnosis.places import nearest, places


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('  File "/srv/app/start.py", line 12, in <module>', [("/srv/app/start.py", 12)]),
        ("src/main.c:14:5: error: unknown type name", [("src/main.c", 14)]),
        ("./lib/a-b.ts(7,3): error TS2304: Cannot find name", [("lib/a-b.ts", 7)]),
        ("  --> src/main.rs:3:9", [("src/main.rs", 3)]),
        ("test_all.py:9: AssertionError", [("test_all.py", 9)]),
        ("    at Object.<anonymous> (/srv/app/index.js:5:11)", [("/srv/app/index.js", 5)]),
        ("connect to 127.0.0.1:5432 refused", []),
        ("it took 12:30:05", []),
        ("x" * 100_000 + ".py:1", []),
    ],
)
def test_places_are_found_in_the_words_of_many_tools(text: str, found: list[tuple[str, int]]) -> None:
    assert [tuple(place) for place in places(text) if not place.path.replace(".", "").isdigit()] == found


def test_the_nearest_place_is_one_of_the_users_own_files() -> None:
    before = [Line(1, 'File "own/first.py", line 1'), Line(2, 'File "own/last.py", line 2'), Line(3, 'File "/usr/lib/x.py", line 3')]

    def own(path: str) -> str | None:
        return path if path.startswith("own/") else None

    assert nearest([Line(4, "ValueError: no")], before, own) == ("own/last.py", 2)
    assert nearest([Line(4, "own/here.py:7: no")], before, own) == ("own/here.py", 7)
    assert nearest([Line(4, "nothing")], [], own) is None

"""The pictures of the docs: what stands on a screen stands in its picture, and a picture fetches nothing from anywhere."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pyte
import pytest
from chat_pictures import PICTURES, RunDisplay, drawn

TEXT = "{http://www.w3.org/2000/svg}text"


def texts(picture: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(picture).iter(TEXT))


def test_a_text_on_a_colour_stands_on_a_box_of_that_colour() -> None:
    screen = RunDisplay(100, 2)
    pyte.Stream(screen).feed("ab\x1b[30;46m c  \x1b[0m")
    picture = drawn("A title", screen)
    box = [one for one in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}rect") if one.get("x")]
    _, plain, on_box = texts(picture)
    assert [(one.get("fill"), float(one.get("width") or 0)) for one in box] == [("#56b6c2", pytest.approx(4 * 9.6))]
    assert (plain.text, on_box.text, on_box.get("fill")) == ("ab", "c", "#1e2127")


def test_what_stands_on_the_screen_stands_in_the_picture_with_its_looks() -> None:
    screen = RunDisplay(100, 5)
    pyte.Stream(screen).feed("a < b & c\r\n  \x1b[2mfaint\x1b[22m \x1b[1mbold\x1b[0m \x1b[36mcyan\x1b[0m \x1b[38;5;208mown\x1b[0m")
    title, plain, faint, bold, cyan, own = texts(drawn("A <title>", screen))
    assert [one.text for one in (title, plain, faint, bold, cyan, own)] == ["A <title>", "a < b & c", "faint", "bold", "cyan", "own"]
    assert (faint.get("opacity"), bold.get("font-weight"), own.get("fill")) == ("0.6", "bold", "#ff8700")
    assert cyan.get("fill") not in (None, plain.get("fill"))
    assert float(faint.get("x") or 0) > float(plain.get("x") or 0)


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_of_the_docs_is_small_whole_and_by_itself(path: Path) -> None:
    picture = path.read_text(encoding="utf-8")
    assert len(picture) < 20_000
    assert texts(picture)
    assert set(re.findall(r"https?://[^\"' )]*", picture)) == {"http://www.w3.org/2000/svg"}
    assert "<script" not in picture


def test_every_picture_is_shown_in_the_docs() -> None:
    pages = [path.read_text(encoding="utf-8") for path in PICTURES.parent.glob("*.md")]
    assert {f"pictures/{path.name}" for path in PICTURES.glob("*.svg")} == set(re.findall(r"\((pictures/[^)]*)\)", "".join(pages)))

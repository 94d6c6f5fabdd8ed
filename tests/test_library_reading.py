"""Tests how files become documents."""

from __future__ import annotations

import json
import time
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from mmos.library.cutting import cut
from mmos.library.finding import Found, find
from mmos.library.passages import Document
from mmos.library.reading.files import Unreadable, read
from mmos.library.reading.titles import from_name, title_of

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"


def document(tmp_path: Path, name: str, data: bytes | str) -> Document:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    (found,) = find([path])
    assert isinstance(found, Found)
    return read(found)


def pdf(*pages: str, title: str = "") -> bytes:
    """A PDF with a line of text on each page."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 612 792] /Contents %d 0 R >>"
            % len(objects)
        )
        kids.append(len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % kid for kid in kids), len(kids))
    objects.append(b"<< /Title (%s) >>" % title.encode())
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    trailer = b"trailer << /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF" % (count, len(objects), len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + trailer


def docx(body: str) -> bytes:
    out = BytesIO()
    with ZipFile(out, "w") as file:
        file.writestr("[Content_Types].xml", "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>")
        file.writestr(
            "_rels/.rels",
            f"<Relationships xmlns='{RELATIONS}'><Relationship Id='a' Type='{OFFICE}' Target='word/document.xml'/></Relationships>",
        )
        file.writestr("word/document.xml", f"<w:document xmlns:w='{WORD}'><w:body>{body}</w:body></w:document>")
    return out.getvalue()


def paragraph(text: str, style: str = "") -> str:
    styled = f"<w:pPr><w:pStyle w:val='{style}'/></w:pPr>" if style else ""
    return f"<w:p>{styled}<w:r><w:t>{text}</w:t></w:r></w:p>"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Größe\r\nzwei\n", "Größe\r\nzwei\n"),
        (b"\xef\xbb\xbfWith a mark", "With a mark"),
        ("Zwei Bytes".encode("utf-16"), "Zwei Bytes"),
        ("caf\u00e9 \u201eso\u201c".encode("cp1252"), "caf\u00e9 \u201eso\u201c"),
    ],
    ids=["utf-8", "mark", "utf-16", "windows"],
)
def test_a_text_is_read_as_it_is(tmp_path: Path, data: bytes | str, text: str) -> None:
    assert document(tmp_path, "a.txt", data).text == text


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.txt", b"\x00\x01\x02", "it is no text"),
        ("a.bin", bytes(range(1, 32)) * 9 + b"\xff\xfe\x81", "it is no text"),
        ("a.txt", b"", "it has no text"),
        ("a.md", b" \n\t", "it has no text"),
        ("a.pdf", b"%PDF-1.4\nbroken", "it is a damaged PDF"),
        ("a.pdf", pdf(""), "it has no text"),
        ("a.docx", b"PK no zip", "it is a damaged document"),
        ("a.docx", docx("")[:-30], "it is a damaged document"),
        ("a.docx", docx("<w:unclosed>"), "it is a damaged document"),
        ("a.docx", docx("<w:sdt><w:sdtContent>" * 2_000 + "</w:sdtContent></w:sdt>" * 2_000), "it is a damaged document"),
        ("a.docx", docx("<!--" + " " * (21 << 20) + "-->"), "its text is larger than 10 MB, unpacked"),
        ("a.docx", b"\xd0\xcf\x11\xe0" + bytes(600), "it is protected by a password, or of an old version of Word"),
        ("a.ipynb", b"[]", "it is no notebook in version 4"),
        ("a.html", b"<div>" * 400 + b"deep", "its elements are nested deeper than 300 levels"),
        ("a.html", b"<!--" * 200_000, "it has no text"),
        ("a.html", b"<p>" * (6 << 20), "it has more than 16 million characters of HTML"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        document(tmp_path, name, data)


def test_a_file_that_is_gone_says_so() -> None:
    with pytest.raises(Unreadable, match="no such file"):
        read(Found("/nowhere/at/all.md"))


def test_html_becomes_markdown_without_what_a_browser_hides(tmp_path: Path) -> None:
    page = "<html><head><title>The  page</title><script>steal()</script></head><body><h2>Install</h2><p>Run <code>x</code>.</p><table><tr><th>a</th></tr><tr><td>b</td></tr></table><style>p{}</style></body>"
    found = document(tmp_path, "a.html", page)
    assert (found.title, found.language) == ("The page", "html")
    assert found.text.startswith("## Install\n\nRun `x`.")
    assert "| a |" in found.text
    assert "steal" not in found.text
    assert [piece.path for piece in cut(found.text, found.language)] == ["Install"]


@pytest.mark.parametrize("source", ["<a ", '<a x="', "<a/", "<!--", "<![", "<?", "</"])
def test_html_that_is_never_closed_is_read_at_once(tmp_path: Path, source: str) -> None:
    began = time.process_time()
    assert document(tmp_path, "a.html", "<p>Words.</p>" + source * 50_000).text.startswith("Words.")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One<p>Two <b>bold<p>Three", "One\n\nTwo **bold**\n\nThree\n"),
        ("<ul><li>a<ul><li>b<li>c</ul><li>d</ul>", "- a\n  - b\n  - c\n- d\n"),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\n:   b\n\nc\n:   d\n"),
        ("<table><tr><th>a<th>b<tr><td>c<td>d</table>", "| a | b |\n| --- | --- |\n| c | d |\n"),
        ("<p>" + "Line<p>" * 400, "Line\n\n" * 399 + "Line\n"),
        ("<form><h1>All of it</h1><p>in a form</form>", "# All of it\n\nin a form\n"),
        ("http://example.org/page", "http://example.org/page\n"),
        ('<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><p>XML</p></html>', "XML\n"),
    ],
)
def test_old_and_strange_pages_are_read(tmp_path: Path, source: str, text: str) -> None:
    assert document(tmp_path, "a.html", source).text == text


def test_the_title_of_a_picture_is_not_that_of_the_page(tmp_path: Path) -> None:
    assert document(tmp_path, "a.html", "<svg><title>icon</title></svg><h1>Page</h1>").title == "Page"


def test_html_says_in_which_letters_it_is(tmp_path: Path) -> None:
    page = '<html><meta charset="iso-8859-2"><p>łódź</p>'.encode("iso-8859-2")
    assert document(tmp_path, "a.html", page).text == "łódź\n"


def test_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    found = document(tmp_path, "a.pdf", pdf("The first page.", "", "The third page.", title="A report"))
    assert (found.title, found.language) == ("A report", "pdf")
    assert found.text == "# page 1\n\nThe first page.\n\n# page 3\n\nThe third page."


def test_a_pdf_without_a_title_has_that_of_its_file(tmp_path: Path) -> None:
    assert document(tmp_path, "annual-report.pdf", pdf("Some words.")).title == "annual report"


def test_a_pdf_that_takes_too_many_steps_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmos.library.reading.pdf.MOST_STEPS", 7)
    with pytest.raises(Unreadable, match="it takes more than 7 steps"):
        document(tmp_path, "a.pdf", pdf("one", "two"))


def test_a_page_of_a_pdf_that_is_a_map_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmos.library.reading.pdf.LARGEST_PAGE", 100)
    assert document(tmp_path, "a.pdf", pdf("one", "x" * 200, "three")).text == "# page 1\n\none\n\n# page 3\n\nthree"


@pytest.mark.parametrize(("body", "title"), [(paragraph("Only words."), "Budget & plan"), (paragraph("Chapter", "Heading1"), "Chapter")])
def test_a_document_of_word_may_have_a_title_among_its_properties(tmp_path: Path, body: str, title: str) -> None:
    out = BytesIO(docx(body))
    with ZipFile(out, "a") as file:
        file.writestr("docProps/core.xml", "<x xmlns:dc='d'><dc:title>Budget &amp; plan</dc:title></x>")
    assert document(tmp_path, "a.docx", out.getvalue()).title == title


def test_nothing_outside_of_a_document_is_read(tmp_path: Path) -> None:
    kind = f"<!DOCTYPE d [<!ENTITY x SYSTEM 'file://{tmp_path}/secret'>]>"
    (tmp_path / "secret").write_text("secret words")
    out = BytesIO()
    with ZipFile(BytesIO(docx(paragraph("before &x; after")))) as old, ZipFile(out, "w") as file:
        for name in old.namelist():
            file.writestr(name, (kind.encode() if name == "word/document.xml" else b"") + old.read(name))
    assert "secret" not in document(tmp_path, "a.docx", out.getvalue()).text


@pytest.mark.parametrize(("name", "data"), [("a.pdf", pdf("One line", "two", title="T")), ("a.docx", docx(paragraph("Words.")))])
def test_damage_at_any_place_is_told_or_read_over(tmp_path: Path, name: str, data: bytes) -> None:
    outcomes = set()
    for place in range(0, len(data), max(1, len(data) // 300)):
        for broken in (data[:place], data[:place] + b"\xff" + data[place + 1 :]):
            try:
                outcomes.add(bool(document(tmp_path, name, broken)))
            except Unreadable as error:
                outcomes.add(bool(str(error)))
    assert outcomes == {True}


def test_a_document_of_word_keeps_its_headings(tmp_path: Path) -> None:
    found = document(tmp_path, "a.docx", docx(paragraph("Chapter", "Heading1") + paragraph("Some words.")))
    assert found.text == "# Chapter\n\nSome words.\n"
    assert found.title == "Chapter"


def test_a_notebook_is_its_texts_and_its_code(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Counting\n", "Words."]},
        {"cell_type": "code", "source": "print(1)", "outputs": [{"text": "1"}]},
    ]
    found = document(tmp_path, "a.ipynb", json.dumps({"cells": cells, "metadata": {"kernelspec": {"language": "python"}}}))
    assert found.text == "# Counting\nWords.\n\n```python\nprint(1)\n```"
    assert found.title == "Counting"


@pytest.mark.parametrize(
    ("name", "data", "language"),
    [
        ("a.py", "x = 1", "python"),
        ("Dockerfile", "FROM x", "shell"),
        ("run", "#!/usr/bin/env python3\nx", "python"),
        ("page", "<!DOCTYPE html><p>x</p>", "html"),
        ("a.unknown", "x", "text"),
        ("wrong.txt", pdf("Words."), "pdf"),
    ],
)
def test_the_kind_is_known_by_the_name_or_by_the_first_bytes(tmp_path: Path, name: str, data: bytes | str, language: str) -> None:
    assert document(tmp_path, name, data).language == language


@pytest.mark.parametrize(
    ("text", "language", "title"),
    [
        ("---\ntitle: 'How it works'\n---\n# Other\n", "markdown", "How it works"),
        ("Some text.\n\n# The **heading**\n\nMore.\n", "markdown", "The heading"),
        ("\n# {{ page.title }}\n\n## Real one\n", "markdown", "Real one"),
        ("A study of herons\n\nAnna Bell; Carl Dietz\n", "text", "A study of herons"),
        ("It was a dark night.\n\nThe rain fell.\n", "text", ""),
        ('"""Counts words."""\n\nimport re\n', "python", "Counts words"),
        ("import re\n", "python", ""),
        ("a,b\n1,2\n", "csv", ""),
    ],
)
def test_a_title_is_what_a_text_calls_itself(text: str, language: str, title: str) -> None:
    assert title_of(text, language) == title


def test_without_a_title_it_is_the_name_in_words(tmp_path: Path) -> None:
    assert from_name("how-to_install.v2.md") == "how to install v2"
    assert document(tmp_path, "release-notes.csv", "a,b\n").title == "release notes"

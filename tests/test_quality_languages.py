"""Checks of code in other languages than Python: what is dangerous beside the right way to write it, and names that do not exist."""

from __future__ import annotations

import pytest

from mmos.quality.checks import check
from mmos.quality.finding import Finding, Subject
from tests.quality_faults import block


def found(tag: str, code: str) -> list[Finding]:
    return [one for one in check(Subject("", block(tag, code))) if one.severity != "note"]


@pytest.mark.parametrize(
    ("tag", "dangerous", "right"),
    [
        ("c", "void f(const char *text) { printf(text); }", 'void f(const char *text) { printf("%s", text); }'),
        ("c", "void f(const char *text) { fprintf(stderr, text); }", "void f(void) { fprintf(stderr, usage); }"),
        ("cpp", "void f(std::string text) { printf(text.c_str()); }", 'void f(std::string text) { printf("%s", text.c_str()); }'),
        ("c", "void f(char *out, const char *text) { snprintf(out, sizeof(out), text); }", 'void f(char *out) { snprintf(out, 9, "a"); }'),
        ("ruby", "YAML.unsafe_load(upload.read)", "YAML.safe_load(upload.read)"),
        ("ruby", "YAML.unsafe_load body", "YAML.unsafe_load(File.read('settings.yml'))"),
        ("js", "box.innerHTML = decodeURIComponent(location.hash);", "box.innerHTML = DOMPurify.sanitize(location.hash);"),
        ("js", "const a = unescape(req.query.a);\nbox.innerHTML = a;", "const a = escape(req.query.a);\nbox.innerHTML = a;"),
        (
            "php",
            "<?php\n$db->exec('INSERT INTO t (a) VALUES (\\'' . $a . '\\')');",
            "<?php\n$db->prepare('INSERT INTO t (a) VALUES (?)')->execute([$a]);",
        ),
        (
            "php",
            "<?php\n$a = $_POST['a'];\n$row = $db->select(\"SELECT * FROM t WHERE a = '$a'\");",
            "<?php\n$a = $_POST['a'];\n$row = $db->select('SELECT * FROM t WHERE a = ?', [$a]);",
        ),
        (
            "php",
            "<?php\n$r = pg_query($db, 'SELECT * FROM t WHERE a = ' . $_GET['a']);",
            "<?php\n$r = pg_query_params($db, 'SELECT * FROM t WHERE a = $1', [$_GET['a']]);",
        ),
        ("js", "await db.$queryRawUnsafe(`SELECT * FROM t WHERE a = ${a}`);", "await db.$queryRaw`SELECT * FROM t WHERE a = ${a}`;"),
        (
            "js",
            "db.query(`SELECT * FROM t WHERE a IN (${placeholders}) AND b = '${b}'`);",
            "db.query(`SELECT * FROM t WHERE a IN (${placeholders})`, a);",
        ),
        ("csharp", 'db.T.FromSqlRaw($"SELECT * FROM T WHERE A = {a}");', 'db.T.FromSql($"SELECT * FROM T WHERE A = {a}");'),
    ],
)
def test_the_right_way_is_no_fault(tag: str, dangerous: str, right: str) -> None:
    assert {one.kind for one in found(tag, dangerous)} & {"injection", "dangerous_call"}
    assert found(tag, right) == []


def test_names_of_the_standard_library_of_rust() -> None:
    code = 'use std::collections::{HashMap, MultiMap};\nuse std::sync::{self, Arc as A, mpsc::Sender};\n\nfn f() {\n    std::fs::read_file("a");\n}'
    assert [one.message for one in found("rust", code)] == ["std::collections has no MultiMap.", "std::fs has no read_file."]
    assert (
        found("rust", "use std::collections::{hash_map::{Entry, OccupiedEntry}, HashMap};\nuse std::rc::*;\nuse std::os::unix::Own;") == []
    )
    assert found("rust", "mod std {}\n\nuse std::fs::mine;") == []


@pytest.mark.parametrize(
    ("code", "kind", "line"),
    [("[a]\nb = 1\n[a]", "syntax", 3), ("a = 1 b = 2", "syntax", 1), ("a = [1, 2", "truncated", 1), ("a = 1\na = 2", "syntax", 2)],
)
def test_what_is_wrong_with_toml(code: str, kind: str, line: int) -> None:
    (one,) = found("toml", code)
    assert (one.kind, one.where) == (kind, f"code block 1, line {line}")


def test_a_key_that_stands_twice_in_yaml() -> None:
    (one,) = found("yaml", "web:\n  ports: [80]\n  image: a\n  ports: [443]")
    assert (one.message, one.where) == (
        "This is no YAML that parses: the key 'ports' stands twice in its mapping.", "code block 1, line 4",
    )  # fmt: skip
    (one,) = found("yaml", "- {a: 1, a: 2}")
    assert one.kind == "syntax"


@pytest.mark.parametrize(
    "code",
    [
        "a: 1\n---\na: 2",
        "a: {b: 1}\nc: {b: 2}",
        "a:\n  - b: 1\n  - b: 2",
        "x:\n  <<: *a\n  <<: *b\n  c: 1",
        "x:\n  a: b\n  b: a",
        "web:\n  ports: [80]\n  # or:\n  ports: [443]",
        "ports: [80]\nports: [443]",
    ],
)
def test_keys_of_yaml_that_may_stand_twice(code: str) -> None:
    assert found("yaml", code) == []

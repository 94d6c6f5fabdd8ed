"""Says what kind a file is: by its name, and by its first bytes."""

from __future__ import annotations

import os
import re

_SUFFIXES = """
markdown: md markdown mdx mdown qmd
html: html htm xhtml
pdf: pdf
docx: docx
notebook: ipynb
rst: rst
text: txt text log out
csv: csv tsv
json: json jsonl ndjson
toml: toml
yaml: yaml yml
xml: xml svg
ini: ini cfg conf properties
sql: sql
diff: diff patch
tex: tex bib
css: css scss less
python: py pyi pyw
javascript: js mjs cjs jsx
typescript: ts tsx mts cts
java: java
kotlin: kt kts
scala: scala
c: c h
cpp: cc cpp cxx hpp hh hxx
csharp: cs
go: go
rust: rs
ruby: rb
php: php
swift: swift
dart: dart
lua: lua
perl: pl pm
r: r
shell: sh bash zsh fish
powershell: ps1
elixir: ex exs
haskell: hs
zig: zig
"""
_BY_SUFFIX = {
    suffix: language
    for language, _, suffixes in (line.partition(": ") for line in _SUFFIXES.split("\n") if line)
    for suffix in suffixes.split()
}
_BY_NAME = {
    "dockerfile": "shell",
    "makefile": "shell",
    "justfile": "shell",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "cmakelists.txt": "cmake",
}
_SHEBANG = re.compile(rb"#![^\n]{0,100}\b(python|ruby|perl|node|bash|zsh|sh|lua|php)")
_PROGRAMS = {b"node": "javascript", b"bash": "shell", b"zsh": "shell", b"sh": "shell"}
_HTML = re.compile(rb"\s*(?:<!--.{0,200}?-->\s*)?<(?:!doctype html|html)\b", re.IGNORECASE | re.DOTALL)


def language_of(path: str, data: bytes) -> str:
    name = os.path.basename(path).lower()  # noqa: PTH119
    if data.startswith(b"%PDF-"):
        return "pdf"
    suffix = name.rpartition(".")[2] if "." in name else ""
    if found := _BY_NAME.get(name) or _BY_SUFFIX.get(suffix):
        return found
    if shebang := _SHEBANG.match(data):
        return _PROGRAMS.get(shebang[1], shebang[1].decode())
    return "html" if _HTML.match(data) else "text"

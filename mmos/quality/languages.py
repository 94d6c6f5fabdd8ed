"""Names the language of a piece of code: by the tag of its fence, the name of its file, or its signs."""

from __future__ import annotations

import re

_TAGS = {
    "python": "python py python3 py3 pyi pycon pytb ipython ipython3 sage",
    "javascript": "javascript js jsx mjs cjs node nodejs",
    "typescript": "typescript ts mts cts",
    "tsx": "tsx",
    "java": "java",
    "csharp": "csharp cs c#",
    "c": "c h",
    "cpp": "cpp c++ cc cxx hpp hxx",
    "go": "go golang",
    "rust": "rust rs",
    "ruby": "ruby rb rake gemfile",
    "php": "php php5 php7 php8 phtml",
    "shell": "bash sh shell zsh ksh",
    "console": "console terminal shell-session shellsession sh-session bash-session",
    "sql": "sql mysql postgresql postgres sqlite plsql tsql psql",
    "json": "json geojson ipynb webmanifest",
    "jsonc": "jsonc json5 hjson",
    "jsonl": "jsonl ndjson jsonlines",
    "yaml": "yaml yml",
    "toml": "toml",
    "dockerfile": "dockerfile docker containerfile",
    "html": "html htm xhtml vue svelte",
    "diff": "diff patch udiff",
    "markdown": "markdown md mdx",
    "text": "text txt plain plaintext output log none tree csv ascii",
    "kotlin": "kotlin kt kts",
    "swift": "swift",
    "scala": "scala",
    "xml": "xml svg xsd xsl",
    "css": "css scss less sass",
    "ini": "ini cfg conf properties env dotenv",
    "terraform": "terraform tf hcl",
    "powershell": "powershell ps1 pwsh",
    "nginx": "nginx",
}
_OF_TAG = {tag: language for language, tags in _TAGS.items() for tag in tags.split()}

_SIGNS: dict[str, re.Pattern[str]] = {
    "python": re.compile(
        r"^[ \t]*(?:(?:async )?def \w+\s*\(.*|class \w+(?:\(.*\))?:|from [\w.]+ import .+|import \w[\w., ]*|elif .+:|except\b.*:|"
        r"if __name__ ==.*|with .+ as \w+:|for \w+(?:, ?\w+)* in .+:|@\w[\w.]*(?:\(.*\))?|print\(.*|self\.\w+.*|(?:return|raise|yield|assert)\b(?!.*;$).*|"
        r"(?:try|else|finally):|while .+:|if [^{]+:|[\w.\[\]]+ [-+*/|&]?= (?!.*;\s*$).+)[ \t]*(?:#.*)?$"
    ),
    "javascript": re.compile(
        r"^[ \t]*(?:(?:export )?(?:const|let|var) [\w{\[].*|(?:export )?(?:default )?(?:async )?function\b.*|.*=>\s*[{(].*|import .+ from ['\"].*|"
        r"module\.exports.*|require\(.*|console\.\w+\(.*|document\.\w+.*|.*\bnew Promise\(.*|\}\);?|'use strict';?)$"
    ),
    "java": re.compile(r"^[ \t]*(?:(?:public|private|protected|@Override|@\w+)\b.*|import (?:static )?[\w.]+(?:\.\*)?;|package [\w.]+;|.*\bnew \w+\(.*;|System\.out\..*)$"),
    "go": re.compile(r"^[ \t]*(?:package \w+|func (?:\(.*\) )?\w+\(.*\{|import \(|import \"[\w/.]+\"|.*:= .*|type \w+ (?:struct|interface) \{|defer .*|if err != nil \{)$"),
    "rust": re.compile(r"^[ \t]*(?:(?:pub )?(?:async )?fn \w+.*|let (?:mut )?\w+.*;|use [\w:]+.*;|impl\b.*|#\[\w+.*\]|match .* \{|(?:pub )?(?:struct|enum|trait|mod) \w+.*)$"),
    "c": re.compile(r"^[ \t]*(?:#\s*(?:include|define|ifdef|ifndef|endif)\b.*|(?:static |const |unsigned |inline )*(?:int|char|void|float|double|long|size_t|struct \w+)\s+\*?\w+\s*(?:\(.*|=.*;|\[.*;|;))$"),
    "cpp": re.compile(r"^[ \t]*(?:#include <(?:iostream|vector|string|map|memory)>|using namespace \w+;|std::.*|template\s*<.*|.*\bstd::\w+.*|.*\bcout <<.*)$"),
    "php": re.compile(r"^[ \t]*(?:<\?php.*|\$\w+(?:->\w+.*|\[.*\].*| ?=.*);|(?:public |private |protected )?function \w+\(.*\$.*|echo .*;|.*\$this->.*)$"),
    "ruby": re.compile(r"^[ \t]*(?:def \w+[?!]?(?:\(.*\))?|end|puts .*|require ['\"].*|.*\bdo \|.*\||attr_\w+ :.*|module \w+|class \w+(?: < [\w:]+)?|@\w+ = .*)$"),
    "shell": re.compile(r"^[ \t]*(?:#!.*\b(?:ba|z|k)?sh|(?:sudo|apt-get|apt|cd|mkdir|chmod|curl|export|echo|rm|cp|mv|grep|sed|set -\w+|source|git|docker|npm|pip|systemctl) .*|fi|done|esac|if \[+ .*\]+; then|for \w+ in .*; do|while .*; do|\w+=\$\(.*\))$"),
    "sql": re.compile(r"^[ \t]*(?:(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE (?:TABLE|INDEX|VIEW)|ALTER TABLE|DROP TABLE|FROM|WHERE|(?:LEFT |INNER )?JOIN|GROUP BY|ORDER BY|GRANT)\b.*)$", re.IGNORECASE),
    "dockerfile": re.compile(r"^(?:FROM [\w./:-]+(?: AS \w+)?|RUN .*|CMD .*|COPY .*|WORKDIR .*|EXPOSE \d+|ENTRYPOINT .*|ENV \w+.*|USER \w+|ADD .*|ARG \w+.*)$"),
    "html": re.compile(r"^[ \t]*(?:<!DOCTYPE.*|</?[a-z][\w-]*(?: [^>]*)?>.*)$", re.IGNORECASE),
}  # fmt: skip
"""A line that code in this language often has."""
_LINES, _WIDE = 200, 400
"""How many lines are looked at, and how much of each."""
_LEAST = 0.5
_COMMENT = re.compile(r"^\s*(?:#(?!include|define|if|endif|!).*|//.*|/\*.*|\*.*|--.*)?$")


def language_of_tag(tag: str) -> str:
    """The language that the word after a fence names. Empty: it names none that is known."""
    return _OF_TAG.get(tag.lower().strip("{}.").removeprefix("language-"), "")


def language_of_file(name: str) -> str:
    base = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if base.startswith(("dockerfile", "containerfile")):
        return "dockerfile"
    return _OF_TAG.get(base.rpartition(".")[2], "") if "." in base else ""


def guessed(text: str) -> str:
    """The language that most lines look like. Empty: none."""
    lines = [line[:_WIDE] for line in text.splitlines()[:_LINES]]
    telling = [line for line in lines if line.strip() and not _COMMENT.match(line)]
    if not telling:
        return ""
    if text.lstrip().startswith("<?php"):
        return "php"
    if _is_json_like(text):
        return "json"
    counts = {language: sum(1 for line in telling if signs.match(line)) for language, signs in _SIGNS.items()}
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] and counts[best] >= _LEAST * _worth(telling) else ""


def _is_json_like(text: str) -> bool:
    start = text.lstrip()[:80]
    return bool(re.match(r"\{\s*\"[^\"\n]{1,60}\"\s*:|\[\s*(?:\{\s*\"|\[|\"[^\"\n]*\"\s*,|-?\d+\s*,)", start))


def _worth(telling: list[str]) -> int:
    """How many of the lines should look like the language: lines that hold only brackets say nothing."""
    return max(1, sum(1 for line in telling if len(line.strip(" \t{}()[];,")) > 1))

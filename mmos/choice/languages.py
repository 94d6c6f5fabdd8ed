"""Names the programming languages of a request: by its words, its files, and its code."""

from __future__ import annotations

from collections import Counter

from mmos.choice.lexicon import words_of
from mmos.choice.request import Request

MOST = 4
NAMED, TAGGED = 4, 5
"""What a name in the text counts, and a tag of a fence. Each sign in code counts one, and one sign alone is chance."""
LEAST = 2

_NAMES: dict[str, str] = {
    "python": "python python2 python3 pytest django flask pandas numpy fastapi pydantic py pyi",
    "javascript": "javascript node node.js nodejs jquery express react vue js jsx mjs",
    "typescript": "typescript angular ts tsx",
    "java": "java junit maven",
    "kotlin": "kotlin kt kts",
    "c++": "c++ cpp cc hpp",
    "c#": "c# csharp asp.net cs",
    "c": "h",
    "go": "golang",
    "rust": "rust cargo rs",
    "ruby": "ruby rails rspec rb",
    "php": "php laravel",
    "swift": "swift swiftui",
    "scala": "scala",
    "perl": "perl",
    "lua": "lua",
    "bash": "bash zsh sh shell",
    "powershell": "powershell ps1",
    "sql": "sql mysql postgres postgresql sqlite",
    "html": "html html5 htm",
    "css": "css scss tailwind",
    "solidity": "solidity",
    "terraform": "terraform tf",
    "yaml": "yaml yml",
    "dockerfile": "dockerfile",
}
_OF_NAME = {name: language for language, names in _NAMES.items() for name in names.split()}
_OF_LETTER = {"C": "c", "Go": "go", "R": "r"}
"""Their names are also words of English, so that the case and the words around count."""
_AROUND = words_of("code program function script package module server service struct language tests")
_ENDINGS = words_of(
    "py pyi js jsx mjs ts tsx java kt kts cpp cc hpp cs h c go rs rb php swift scala lua sh ps1 sql html htm css scss tf yaml yml"
)

_WORDS_TOO = words_of("express node shell swift rust angular react")
"""Words that name something else unless they have a capital."""

_SIGNS: dict[str, tuple[str, ...]] = {
    "python": ("def ", "self.", "import ", "print(", "elif ", "__init__", " in range(", "None", "except ", "True", "f'", 'f"'),
    "javascript": ("const ", "let ", "var ", "=>", "console.log", "function ", "===", "document.", "undefined", ".then("),
    "typescript": (": string", ": number", ": boolean", "interface ", "readonly ", "export type "),
    "java": ("public class", "public static", "System.out", "import java", "@Override", "private ", "String ", "extends ", "String[]"),
    "c++": ("#include <iostream>", "#include <vector>", "#include <string>", "std::", "cout", "using namespace", "cin >>", "endl"),
    "c": ("#include <stdio.h>", "#include <stdlib.h>", "#include <string.h>", "printf(", "malloc(", "char *", "char* ", "free(", "sizeof("),
    "c#": ("using System", "Console.Write", "namespace ", "public override", "async Task", "sealed class", "string[] args"),
    "go": ("func ", ":= ", "package ", "fmt.", "err != nil", "chan ", "defer "),
    "rust": ("fn ", "let mut", "impl ", "println!", "::new(", "&mut", "&str", "-> ", "match "),
    "ruby": ("def ", "\nend", "puts ", ".each do", "require '", "@", "nil"),
    "php": ("<?php", "$_GET", "$_POST", "->", "$this", "echo $"),
    "kotlin": ("fun ", "val ", "println(", "data class", "?:"),
    "swift": ("func ", "guard let", "import UIKit", "let ", ") -> ", "if let "),
    "bash": ("#!/bin", "fi\n", "done", "do\n", "echo ", "${", "grep ", "$(", "then\n"),
    "sql": ("SELECT ", "INSERT INTO", "CREATE TABLE", " FROM ", " WHERE ", "UPDATE ", "GROUP BY", "ORDER BY", " JOIN "),
    "html": ("<div", "<html", "<body", "<form", "<script", "<p>", "<ul>", "<a ", "</"),
    "css": ("color:", "margin", "padding", "display:", "font-", "px;"),
}  # fmt: skip


def languages_of(request: Request) -> tuple[str, ...]:
    """The languages, with the clearest first."""
    counts: Counter[str] = Counter()
    for tag in request.tags:
        if language := _OF_NAME.get(tag, tag if tag in _NAMES else None):
            counts[language] += TAGGED
    for language in {_named(request.words, index) for index in range(len(request.words))} - {""}:
        counts[language] += NAMED
    if request.has_code:
        code = request.code or request.prose
        counts.update({language: sum(sign in code for sign in signs) for language, signs in _SIGNS.items()})
    return tuple(language for language in sorted(counts, key=lambda one: (-counts[one], one)) if counts[language] >= _least(counts))[:MOST]


def _least(counts: Counter[str]) -> float:
    """Languages share signs: where one has many, another with half as many is not meant."""
    return max(LEAST, max(counts.values()) * 0.6)


def _named(words: tuple[str, ...], index: int) -> str:
    """The language that a word names; empty if it names none."""
    word = words[index]
    before, after = (words[place].lower() if 0 <= place < len(words) else "" for place in (index - 1, index + 1))
    if word in _OF_LETTER:
        return _OF_LETTER[word] if before in ("in", "to", "a", "from") or after in _AROUND else ""
    name = word.lower()
    beginning, _, ending = name.rpartition(".")
    if beginning and ending in _ENDINGS:
        return ending if ending in _NAMES or ending in _OF_LETTER.values() else _OF_NAME.get(ending, "")
    if name in _WORDS_TOO and not word[0].isupper() and before not in ("in", "to"):
        return ""
    return _OF_NAME.get(name, "") if len(name) > 2 or name in ("c#", "js", "ts") else ""

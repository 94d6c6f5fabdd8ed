"""Reads the words of a command, and says whether it may be run. There is no shell: a sign of the shell is refused, not passed on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase

from mmos.config.wording import shown
from mmos.errors import InvalidArguments, ToolDenied
from mmos.prompting.templates import Templates

MOST_WORDS = 1_000
MOST_SIGNS = 8_000
_OPERATORS = frozenset({"|", "||", "&", "&&", ">", ">>", "<", "<<", "2>", "2>&1", "&>"})
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.")
_SIGNS = re.compile(r"[|&;<>`\n]|\$[\w({]")
_IN_DOUBLE = re.compile(r"`|\$[\w({]")


def words_of(templates: Templates, value: str | Sequence[str]) -> list[str]:
    """The words of a command: of a list, or of one text."""
    words = list(value) if not isinstance(value, str) else [value]
    if len(words) == 1 and any(sign.isspace() for sign in words[0].strip()):
        words = _split(templates, words[0].strip())
    if not words or not words[0].strip():
        raise InvalidArguments(templates.fill("argument_empty", argument="words"))
    if len(words) > MOST_WORDS or sum(map(len, words)) > MOST_SIGNS or any("\0" in word for word in words):
        raise InvalidArguments(templates.fill("command_long"))
    for word in words:
        if word in _OPERATORS:
            raise _no_shell(templates, word)
    return words


def _split(templates: Templates, text: str) -> list[str]:
    plain = _QUOTED.sub(lambda part: "".join(_IN_DOUBLE.findall(part[0])) if part[0].startswith('"') else "", text)
    sign = _SIGNS.search(plain)
    if sign is not None:
        raise _no_shell(templates, sign[0])
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidArguments(templates.fill("command_unsplit", reason=str(error))) from None


def _no_shell(templates: Templates, sign: str) -> InvalidArguments:
    return InvalidArguments(templates.fill("command_no_shell", sign=shown(sign)))


def check_allowed(templates: Templates, words: Sequence[str], patterns: Sequence[str]) -> None:
    """Raise `ToolDenied` if no pattern allows the command."""
    if not any(_fits(words, pattern.split()) for pattern in patterns):
        raise ToolDenied(templates.fill("command_denied", program=shown(words[0]), allowed=", ".join(patterns)))


def _fits(words: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether each word fits. A `*` at the end stands for any number of words."""
    if pattern[-1:] == ["*"]:
        pattern = pattern[:-1]
        words = words[: len(pattern)]
    return len(words) == len(pattern) and all(map(fnmatchcase, words, pattern))

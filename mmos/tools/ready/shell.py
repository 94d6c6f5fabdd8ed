"""Makes the tool with which a model runs a command. There is no shell, and the command gets no secrets of the environment."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmos.calls.spec import Spec
from mmos.config.tools_schema import CommandAccess
from mmos.config.wording import shown
from mmos.context import Context
from mmos.errors import ToolError
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of
from mmos.tools.ready.process import Ended, run
from mmos.tools.ready.words import check_allowed, words_of

PASSED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "CONDA_PREFIX", "JAVA_HOME", "GOPATH",
    "CARGO_HOME", "RUSTUP_HOME", "NVM_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
)  # fmt: skip
"""Variables of the environment that a command gets, beside those that begin with LC_. Others may be secrets."""
MOST_SHOWN = 60_000
"""A command with its escapes is never longer, so the user reads every word."""


@dataclass(frozen=True)
class Commands:
    """Runs commands in one folder."""

    templates: Templates
    folder: Path
    access: CommandAccess
    environ: Mapping[str, str]

    def words(self, arguments: Mapping[str, Any]) -> list[str]:
        words = words_of(self.templates, arguments["words"])
        check_allowed(self.templates, words, self.access.allow)
        return words

    def preview(self, arguments: Mapping[str, Any]) -> str:
        """The exact words, and where they run."""
        return f"  command: {shown(shlex.join(self.words(arguments)), MOST_SHOWN)}\n  in: {shown(str(self.folder), MOST_SHOWN)}"

    async def run(self, _context: Context, arguments: Mapping[str, Any]) -> str:
        words, variables = self.words(arguments), self.variables()
        program = self.program(words[0], variables)
        try:
            ended = await run(program, words, self.folder, variables, self.access.timeout)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ToolError(self.templates.fill("command_unrun", program=shown(words[0]), reason=reason)) from None
        return self.told(ended)

    def told(self, ended: Ended) -> str:
        if ended.code is None:
            end = self.templates.fill("command_late", seconds=f"{self.access.timeout:g}")
        else:
            end = self.templates.fill("command_end", code=str(ended.code))
        head, tail = ended.output.texts
        middle = [self.templates.fill("command_cut", number=f"{ended.output.left_out:,}")] if ended.output.left_out else []
        return "\n".join(filter(None, (end, head.rstrip("\n"), *middle, tail.rstrip("\n"))))

    def variables(self) -> dict[str, str]:
        names = {*PASSED, *self.access.variables}
        passed = {name: value for name, value in self.environ.items() if name in names or name.startswith("LC_")}
        return {**passed, "PATH": _search_path(passed.get("PATH", os.defpath)), "TERM": "dumb", "NO_COLOR": "1", "GIT_TERMINAL_PROMPT": "0"}

    def program(self, name: str, variables: Mapping[str, str]) -> str:
        """The file of a program. A name with a slash is a path in the folder."""
        found = str(self.folder / name) if "/" in name else shutil.which(name, path=variables["PATH"])
        if found is None or not os.access(found, os.X_OK):
            raise ToolError(self.templates.fill("command_none", program=shown(name)))
        return found


def _search_path(path: str) -> str:
    """Only whole paths: in a relative one, a model could have written a program of its own."""
    return os.pathsep.join(part for part in path.split(os.pathsep) if Path(part).is_absolute())


def mended(templates: Templates, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A command that was written as one text."""
    words: str | Sequence[str] | None = arguments.get("words", arguments.get("command"))
    return {"words": words_of(templates, words)} if isinstance(words, str) and arguments.keys() <= {"words", "command"} else None


def run_command(templates: Templates, folder: Path, access: CommandAccess, environ: Mapping[str, str]) -> Tool:
    commands = Commands(templates, folder, access, environ)
    words = {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": templates.fill("run_command.words")}
    some = "" if access.allow == ["*"] else templates.fill("run_command_some", commands=", ".join(access.allow))
    description = " ".join(filter(None, (templates.fill("run_command"), some)))
    return Tool(
        Spec("run_command", description, parameters_of({"words": words}, ["words"])),
        commands.run,
        approval=access.run == "ask",
        mend=partial(mended, templates),
        preview=commands.preview,
    )

"""Makes and installs the completion scripts of bash, zsh and fish."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, FishComplete, ShellComplete, ZshComplete, split_arg_string

from mmos.errors import UsageError

VARIABLE = "_MMOS_COMPLETE"
"""The shell sets this environment variable when it asks for completions, as in `mmos.cli.main`."""

_BASH = """\
%(complete_func)s() {
    local line="${COMP_LINE:0:COMP_POINT}" kind value before
    local word="${line##*[[:space:]]}"
    # bash takes a word apart at = and : and replaces its last part only
    before="${word%%"${word##*[=:]}"}"
    [[ "$COMP_WORDBREAKS" == *:* ]] || before=""
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case "$kind" in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            plain) COMPREPLY+=("${value#"$before"}") ;;
        esac
        [[ "$value" == *= ]] && compopt -o nospace 2>/dev/null
    done < <(COMP_LINE="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""

_ZSH_FIRST = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n"


class Bash(ShellComplete):
    """Parses the line itself, because bash splits the names of models at their colons."""

    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)[1:]
        return (words, "") if not words or line[-1:].isspace() else (words[:-1], words[-1])

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{_OF_THE_SHELL.sub(_quoted, item.value)}"


_OF_THE_SHELL = re.compile(r"[^\w@%+=:,./-]")
"""Signs that mean something to bash, which puts what it is offered into the line as it is; zsh and fish quote it themselves."""


def _quoted(match: re.Match[str]) -> str:
    return f"\\{match.group()}"


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": ZshComplete, "fish": FishComplete}


def script(shell: str, command: click.Command) -> str:
    return SHELLS[shell](command, {}, "mmos", VARIABLE).source().strip("\n") + "\n"


def answer(command: click.Command, instruction: str) -> int:
    """Print the completions that the shell asks for, without error messages."""
    shell, _, request = instruction.partition("_")
    if shell not in SHELLS or request not in ("complete", "source"):
        return 1
    completion = SHELLS[shell](command, {}, "mmos", VARIABLE)
    text = completion.source() if request == "source" else completion.complete()
    if text:
        click.echo(text)
    return 0


@dataclass(frozen=True)
class Place:
    """The place of a shell's script."""

    script: Path
    start: Path | None = None
    """The start file that must load the script, if the shell does not find it by itself."""
    begin: str = ""
    """Commands that the script needs before it."""


def place(shell: str, environ: Mapping[str, str]) -> Place:
    home = Path(environ.get("HOME") or Path.home())
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    if shell == "fish":
        return Place(Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "fish" / "completions" / "mmos.fish")
    if shell == "zsh":
        return Place(data / "mmos" / "completion.zsh", Path(environ.get("ZDOTDIR") or home) / ".zshrc", _ZSH_FIRST)
    user = Path(environ.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion")
    loads_itself = any(Path(root, "share/bash-completion/bash_completion").exists() for root in ("/usr", "/usr/local", "/opt/homebrew"))
    return Place(user / "completions" / "mmos", None if loads_itself else home / ".bashrc")


def install(shell: str, command: click.Command, environ: Mapping[str, str]) -> list[str]:
    """Install the script. Return messages that say what was done and what to do next."""
    where = place(shell, environ)
    where.script.parent.mkdir(parents=True, exist_ok=True)
    where.script.write_text(where.begin + script(shell, command), encoding="utf-8")
    messages = [f"Wrote {where.script}."]
    if where.start is not None:
        line = f"[ -r {shlex.quote(str(where.script))} ] && . {shlex.quote(str(where.script))}"
        before = where.start.read_text(encoding="utf-8", errors="surrogateescape") if where.start.exists() else ""
        if line not in before:
            with where.start.open("a", encoding="utf-8") as file:
                file.write(f"{'' if before.endswith(chr(10)) or not before else chr(10)}\n# completion of mmos\n{line}\n")
            messages.append(f"Added two lines to {where.start}, which read it.")
    return [*messages, f"Every new {shell} has completion. To use it in this one, type: . {shlex.quote(str(where.script))}"]


# ---------------------------------------------------------------- which shell this is


def detect(environ: Mapping[str, str], process: int) -> str:
    """Find the shell that started this process, or the user's login shell."""
    for _ in range(8):
        name, process = _process(process)
        if name in SHELLS:
            return name
        if process <= 1:
            break
    name = Path(environ.get("SHELL", "")).name
    if name in SHELLS:
        return name
    raise UsageError("MMOS does not recognise this shell.", next_step=f"Name it: mmos --install-completion {'|'.join(SHELLS)}")


def _process(number: int) -> tuple[str, int]:
    """Find the name and the parent of a process. Nothing if the system does not say."""
    try:
        text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", 0
    name, _, rest = text.partition("(")[2].rpartition(")")
    return name.lstrip("-"), int(rest.split()[1])


def select_shell(shell: Any, environ: Mapping[str, str]) -> str:
    if shell == "auto":
        return detect(environ, os.getppid())
    if shell not in SHELLS:
        raise UsageError(f"{shell!r} is not a shell that MMOS knows. Allowed: {', '.join(SHELLS)}.")
    return str(shell)

"""Defines the values of `tools`: the user's functions, and the tools that MMOS has ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from mmos.config.section import Section
from mmos.config.values import Seconds, Text, VariableName, allowed, one_of
from mmos.config.wording import Place
from mmos.names import READY_TOOLS

Permission = Literal["ask", "allow"]
ToolName = Annotated[
    str,
    Field(pattern=rf"^({'|'.join(READY_TOOLS)}|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)$"),
    allowed(f"{', '.join(READY_TOOLS)}, or module:function, like mytools:read_file"),
]
Address = Annotated[
    str,
    Field(pattern=r"^(\*|\*\.[A-Za-z0-9.-]{1,250}|[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5}|/[0-9]{1,3})?|\[?[0-9a-fA-F:]{2,45}\]?(:[0-9]{1,5}|/[0-9]{1,3})?)$"),
    allowed("the name of a host, like docs.python.org or *.example.org, or the address of one"),
]  # fmt: skip


class FileAccess(Section):
    """What the tools of `files` may do."""

    root: Text = Field(default=".", description="The folder that they work in, relative to this file. They reach nothing outside of it.")
    write: Annotated[Literal["ask", "allow", "never"], one_of("ask", "allow", "never")] = Field(
        default="ask", description="Whether models may change files: ask (you approve each change), allow (without a question) or never."
    )


class CommandAccess(Section):
    """What the tool of `shell` may do."""

    root: Text = Field(default=".", description="The folder that commands start in, relative to this file.")
    allow: list[Text] = Field(
        default=["*"],
        min_length=1,
        description="The commands that may be run, like 'git *' (git with any words) or 'just test'. Default: all that you approve.",
    )
    run: Annotated[Permission, one_of("ask", "allow")] = Field(
        default="ask",
        description="Whether you approve each command: ask, or allow (without a question; the key allow must then name the commands).",
    )
    timeout: Seconds = Field(default=60.0, description='How long a command may run, like 60 or "5m".')
    variables: list[VariableName] = Field(
        default=[], description="Variables of the environment that commands get, beside PATH, HOME and the like."
    )


class PageAccess(Section):
    """What the tool of `web` may do."""

    allow: list[Address] = Field(
        min_length=1,
        description="The hosts that pages may come from, like docs.python.org, *.example.org or localhost:8080. "
        "A host inside your network must be named by its address or network, like 10.0.0.0/8.",
    )
    timeout: Seconds = Field(default=30.0, description='How long a page may take, like 30 or "1m".')


def _as_written(value: Any) -> Any:
    return {} if value is None else value


class ReadyTools(Section):
    """Tools that MMOS has ready, with their settings."""

    files: Annotated[FileAccess | None, BeforeValidator(_as_written)] = Field(
        default=None, description="List, search, read and change files in a folder."
    )
    shell: Annotated[CommandAccess | None, BeforeValidator(_as_written)] = Field(default=None, description="Run a command.")
    web: Annotated[PageAccess | None, BeforeValidator(_as_written)] = Field(default=None, description="Fetch a page.")


_name_or_settings = Discriminator(lambda value: "[many]" if isinstance(value, dict | ReadyTools) else "[one]")
ToolEntry = Annotated[Annotated[ToolName, Tag("[one]")] | Annotated[ReadyTools, Tag("[many]")], _name_or_settings]
_list_or_settings = Discriminator(lambda value: "[one]" if isinstance(value, dict | ReadyTools) else "[many]")
ToolList = Annotated[Annotated[list[ToolEntry], Tag("[many]")] | Annotated[ReadyTools, Tag("[one]")], _list_or_settings]

Access = FileAccess | CommandAccess | PageAccess


def functions_in(tools: list[str | ReadyTools] | ReadyTools) -> Mapping[int, str]:
    """The user's functions, by their position in the list."""
    if isinstance(tools, ReadyTools):
        return {}
    return {place: tool for place, tool in enumerate(tools) if isinstance(tool, str) and tool not in READY_TOOLS}


def ready_in(tools: list[str | ReadyTools] | ReadyTools) -> list[tuple[str, Place, Access | None]]:
    """The tools that MMOS has ready, each with its place below `tools` and its settings. None: it has none."""
    entries: list[tuple[Place, str | ReadyTools]] = (
        [((), tools)] if isinstance(tools, ReadyTools) else [((at,), tool) for at, tool in enumerate(tools)]
    )
    found: list[tuple[str, Place, Access | None]] = []
    for place, entry in entries:
        if isinstance(entry, ReadyTools):
            found += [(name, (*place, name), access) for name in READY_TOOLS if (access := getattr(entry, name)) is not None]
        elif entry in READY_TOOLS:
            found.append((entry, place, None))
    return found

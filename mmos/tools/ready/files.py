"""Makes the tools with which a model lists, searches, reads and changes the files of one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mmos.calls.spec import Spec
from mmos.config.tools_schema import FileAccess
from mmos.config.wording import shown
from mmos.context import Context
from mmos.errors import ToolError
from mmos.plurals import counted
from mmos.prompting.templates import Templates
from mmos.rewriting.text import Text
from mmos.threads import on_thread
from mmos.toolbox import Tool, parameters_of
from mmos.tools.ready.changes import diff
from mmos.tools.ready.finding import Query, Result, listed, searched
from mmos.tools.ready.folder import Folder
from mmos.tools.ready.texts import bytes_of, lines_of, plain, read_text, replaced

MOST_LISTED = 400
MOST_FOUND = 100
USUAL_LINES = 400
MOST_LINES = 2_000
MOST_SIGNS = 100_000
"""Characters that one call reads."""
MOST_OF_A_LINE = 300
"""Characters of a line that a search shows."""


def reading_tools(templates: Templates, folder: Folder) -> list[Tool]:
    """`list_files`, `search_files` and `read_file`."""
    listing = {"path": _text(templates.fill("list_files.path")), "pattern": _text(templates.fill("list_files.pattern"))}
    searching = {
        "text": _text(templates.fill("search_files.text")),
        "regex": {"type": "boolean", "description": templates.fill("search_files.regex")},
        "path": _text(templates.fill("search_files.path")),
        "pattern": _text(templates.fill("search_files.pattern")),
    }
    reading = {
        "path": _text(templates.fill("read_file.path")),
        "first_line": _number(templates.fill("read_file.first_line")),
        "lines": _number(templates.fill("read_file.lines", usual=str(USUAL_LINES))),
    }
    return [
        _reading(Spec("list_files", templates.fill("list_files"), parameters_of(listing)), partial(_list, templates, folder)),
        _reading(
            Spec("search_files", templates.fill("search_files"), parameters_of(searching, ["text"])), partial(_search, templates, folder)
        ),
        _reading(Spec("read_file", templates.fill("read_file"), parameters_of(reading, ["path"])), partial(_read, templates, folder)),
    ]


def file_tools(templates: Templates, folder: Folder, access: FileAccess) -> list[Tool]:
    """The tools that the settings allow."""
    tools = reading_tools(templates, folder)
    if access.write == "never":
        return tools
    writing = {"path": _text(templates.fill("write_file.path")), "text": _text(templates.fill("write_file.text"))}
    editing = {
        "path": _text(templates.fill("edit_file.path")),
        "old": _text(templates.fill("edit_file.old")),
        "new": _text(templates.fill("edit_file.new")),
    }
    write = Spec("write_file", templates.fill("write_file"), parameters_of(writing, [*writing]))
    edit = Spec("edit_file", templates.fill("edit_file"), parameters_of(editing, [*editing]))
    change = partial(_changing, templates, folder, asks=access.write == "ask")
    return [*tools, change(write, WHOLE), change(edit, PART)]


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _number(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "description": description}


def _reading(spec: Spec, work: Callable[[Mapping[str, Any]], str]) -> Tool:
    async def run(_context: Context, arguments: Mapping[str, Any]) -> Any:
        return await on_thread(work, arguments)

    return Tool(spec, run, after_crash="repeat")


# ---------------------------------------------------------------- reading


def _list(templates: Templates, folder: Folder, arguments: Mapping[str, Any]) -> str:
    result = listed(folder, arguments.get("path") or ".", arguments.get("pattern") or "", MOST_LISTED)
    lines = [f"{_name(place)} ({entry.size:,} bytes)" for place, entry in result.files]
    return _told(templates, lines, result)


def _search(templates: Templates, folder: Folder, arguments: Mapping[str, Any]) -> str:
    query = Query(arguments["text"], bool(arguments.get("regex")), arguments.get("path") or ".", arguments.get("pattern") or "", MOST_FOUND)
    result = searched(folder, query)
    return _told(templates, [f"{_name(found.path)}:{found.number}: {_cut(found.text)}" for found in result.lines], result)


def _told(templates: Templates, lines: list[str], result: Result) -> str:
    more = [templates.fill("files_more")] if result.why else []
    return "\n".join([*lines, *more]) or templates.fill("files_none")


def _read(templates: Templates, folder: Folder, arguments: Mapping[str, Any]) -> str:
    path, first = arguments["path"], arguments.get("first_line") or 1
    lines = lines_of(read_text(templates, folder.read(path), shown(path)).text)
    if first > max(len(lines), 1):
        raise ToolError(templates.fill("file_short", path=shown(path), lines=str(len(lines))))
    part = _fitting(lines[first - 1 : first - 1 + min(arguments.get("lines") or USUAL_LINES, MOST_LINES)])
    after = first + len(part)
    more = [templates.fill("file_more", next=str(after), all=str(len(lines)))] if after <= len(lines) else []
    return "\n".join([*part, *more]) or templates.fill("file_empty")


def _fitting(lines: list[str]) -> list[str]:
    """The first lines, as many as one call reads: at least one."""
    room = MOST_SIGNS
    part: list[str] = []
    for line in lines:
        room -= len(line)
        if room < 0 and part:
            break
        part.append(line[:MOST_SIGNS])
    return part


def _name(place: str) -> str:
    return shown(place, MOST_OF_A_LINE)


def _cut(line: str) -> str:
    return line if len(line) <= MOST_OF_A_LINE else f"{line[:MOST_OF_A_LINE]}…"


# ---------------------------------------------------------------- changing


@dataclass(frozen=True)
class Change:
    """A way to change a text."""

    make: Callable[[Templates, str | None, Mapping[str, Any]], str]
    """Makes the new text of the old one. None: there is no file."""
    is_made: Callable[[str, Mapping[str, Any]], bool]
    """Whether a text has the change already."""


def _changing(templates: Templates, folder: Folder, spec: Spec, change: Change, *, asks: bool) -> Tool:
    async def run(_context: Context, arguments: Mapping[str, Any]) -> Any:
        return await on_thread(_write, templates, folder, change, arguments)

    return Tool(
        spec,
        run,
        after_crash=partial(_check, templates, folder, change),
        approval=asks,
        preview=partial(_preview, templates, folder, change),
    )


def _old(templates: Templates, folder: Folder, path: str) -> Text | None:
    """The text of the file. Raises `ToolError` if it may not be changed."""
    parts = folder.check_writable(path)
    return read_text(templates, folder.read(path, parts), shown(path)) if folder.exists(path) else None


def _made(templates: Templates, change: Change, old: Text | None, arguments: Mapping[str, Any]) -> str:
    return change.make(templates, None if old is None else old.text, arguments)


def _preview(templates: Templates, folder: Folder, change: Change, arguments: Mapping[str, Any]) -> str:
    old = _old(templates, folder, arguments["path"])
    return diff(None if old is None else old.text, _made(templates, change, old, arguments), arguments["path"])


def _write(templates: Templates, folder: Folder, change: Change, arguments: Mapping[str, Any]) -> str:
    path = arguments["path"]
    with folder.changing:
        old = _old(templates, folder, path)
        new = _made(templates, change, old, arguments)
        folder.write(path, bytes_of(templates, old, new))
    return templates.fill("file_written", path=shown(path), lines=counted(len(lines_of(new)), "line"))


def _check(templates: Templates, folder: Folder, change: Change, arguments: Mapping[str, Any]) -> str:
    """What a call that a crash cut off has done. A file is written at once, so it is either as before or as wanted."""
    path = arguments["path"]
    old = _old(templates, folder, path)
    if old is None or not change.is_made(old.text, arguments):
        raise ToolError(templates.fill("file_unwritten", path=shown(path)))
    return templates.fill("file_written", path=shown(path), lines=counted(len(lines_of(old.text)), "line"))


def _whole(_templates: Templates, old: str | None, arguments: Mapping[str, Any]) -> str:
    return arguments["text"] if old is None else plain(arguments["text"])


def _is_whole(text: str, arguments: Mapping[str, Any]) -> bool:
    return text == plain(arguments["text"])


def _part(templates: Templates, old: str | None, arguments: Mapping[str, Any]) -> str:
    if old is None:
        raise ToolError(templates.fill("file_none", path=shown(arguments["path"])))
    if not arguments["old"]:
        raise ToolError(templates.fill("argument_empty", argument="old"))
    if arguments["old"] == arguments["new"]:
        raise ToolError(templates.fill("edit_same"))
    return replaced(templates, old, plain(arguments["old"]), plain(arguments["new"]))


def _has_part(text: str, arguments: Mapping[str, Any]) -> bool:
    old, new = plain(arguments["old"]), plain(arguments["new"])
    return new in text and (old not in text or old in new)


WHOLE, PART = Change(_whole, _is_whole), Change(_part, _has_part)

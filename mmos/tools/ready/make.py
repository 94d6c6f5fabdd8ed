"""Makes the ready tools that a configuration or a run names. What is not named is not imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mmos.config.tools_schema import Access, CommandAccess, FileAccess, PageAccess
from mmos.errors import UsageError
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool


@dataclass(frozen=True)
class Ground:
    """Where tools work, and what they know of their surroundings."""

    folder: Path
    """What `root` is relative to."""
    environ: Mapping[str, str]
    kept: frozenset[Path] = frozenset()
    """Files that no tool changes."""

    def root(self, written: str) -> Path:
        path = self.folder / Path(written).expanduser()
        return Path(path.absolute())


def finding_tools(ground: Ground, templates: Templates) -> list[Tool]:
    """The tools with which a model finds files and names them. They change nothing."""
    from mmos.tools.ready.files import reading_tools
    from mmos.tools.ready.folder import Folder
    from mmos.tools.ready.proposing import propose_files

    folder = Folder(templates, ground.folder, ground.kept)
    return [*reading_tools(templates, folder), propose_files(templates, folder)]


def ready_tools(name: str, access: Access | None, ground: Ground, templates: Templates) -> list[Tool]:
    """The tools of one word: `files`, `shell` or `web`, with the usual settings where it has none."""
    return [replace(tool, group=name) for tool in _tools(name, access, ground, templates)]


def _tools(name: str, access: Access | None, ground: Ground, templates: Templates) -> list[Tool]:
    if name in ("files", "shell") and os.open not in os.supports_dir_fd:
        raise UsageError(f"The tool {name} needs a system with the file functions of POSIX.", next_step="Use it on Linux or macOS.")
    if name == "files":
        from mmos.tools.ready.files import file_tools
        from mmos.tools.ready.folder import Folder

        files = access if isinstance(access, FileAccess) else FileAccess()
        return file_tools(templates, Folder(templates, ground.root(files.root), ground.kept), files)
    if name == "shell":
        from mmos.tools.ready.shell import run_command

        commands = access if isinstance(access, CommandAccess) else CommandAccess()
        return [run_command(templates, ground.root(commands.root), commands, ground.environ)]
    if isinstance(access, PageAccess):
        from mmos.tools.ready.web import fetch_page

        return [fetch_page(templates, access)]
    return []

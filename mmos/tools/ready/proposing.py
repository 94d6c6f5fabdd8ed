"""Makes the tool with which a model names the files that must be changed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from mmos.calls.spec import Spec
from mmos.config.wording import shown
from mmos.context import Context
from mmos.errors import ToolError
from mmos.prompting.templates import Templates
from mmos.threads import on_thread
from mmos.toolbox import Tool, parameters_of
from mmos.tools.ready.folder import Folder
from mmos.tools.ready.texts import read_text

PROPOSE_FILES = "propose_files"
MOST_PROPOSED = 50


def propose_files(templates: Templates, folder: Folder) -> Tool:
    """Make the tool. Its result, a list of paths, is the answer of the run. A path that cannot be changed is told the model."""

    async def run(_context: Context, arguments: Mapping[str, Any]) -> Any:
        return await on_thread(partial(_checked, templates, folder, arguments["paths"]))

    paths = {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 1,
        "maxItems": MOST_PROPOSED,
        "description": templates.fill("propose_files.paths"),
    }
    spec = Spec(PROPOSE_FILES, templates.fill("propose_files"), parameters_of({"paths": paths}, ["paths"]))
    return Tool(spec, run, after_crash="repeat", final=True)


def _checked(templates: Templates, folder: Folder, paths: list[str]) -> list[str]:
    """The paths, relative to the folder and without repeats."""
    found: dict[str, None] = {}
    for path in paths:
        parts = folder.check_writable(path)
        read_text(templates, folder.read(path, parts), shown(path))
        found["/".join(parts)] = None
    if not found:
        raise ToolError(templates.fill("argument_empty", argument="paths"))
    return [*found]

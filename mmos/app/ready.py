"""Makes the ready tools that a configuration names, and those that a run names beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmos.config.load import Config
from mmos.config.tools_schema import Access, CommandAccess, FileAccess, PageAccess, ready_in
from mmos.config.wording import Place, listed, perhaps, shown
from mmos.errors import Problem, UsageError
from mmos.names import READY_TOOLS
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, Toolbox

FINDING = "finding"
"""The tools with which a model finds files for `mmos modify --agentic`. No configuration names them."""
_NO_HOSTS = "web fetches pages of the hosts that you name; write web: {allow: [docs.python.org]}"


def ready_of(config: Config, templates: Templates) -> list[tuple[Tool, Place]]:
    """The ready tools of the configuration, each with its place."""
    entries = ready_in(config.orchestration.tools)
    if not entries:
        return []
    from mmos.tools.ready.make import Ground, ready_tools  # most configurations name none

    ground = Ground(_folder(config), os.environ, _kept(config))
    return [
        (tool, ("orchestration", "tools", *at)) for name, at, access in entries for tool in ready_tools(name, access, ground, templates)
    ]


def _folder(config: Config) -> Path:
    return config.folder or Path.cwd()


def _kept(config: Config) -> frozenset[Path]:
    return frozenset({config.path.resolve()}) if config.path else frozenset()


def ready_for_run(names: Sequence[str], folder: str, config: Config, box: Toolbox, templates: Templates) -> Toolbox:
    """The tools that a run names: those of the app, and ready ones with their usual settings, which work in this folder."""
    from mmos.tools.ready.make import Ground, finding_tools, ready_tools

    ground = Ground(Path(folder), os.environ, _kept(config))
    tools: list[Tool] = []
    settings = {name: access for name, _, access in ready_in(config.orchestration.tools)}
    for name in names:
        if name in READY_TOOLS and name in settings:
            tools += [box.tools[tool.name] for tool in ready_tools(name, settings[name], ground, templates) if tool.name in box]
        elif name == "web":
            raise UsageError(f"The tool web has no host yet: {_NO_HOSTS}.", next_step="Write it under `tools` of orchestration.yaml.")
        elif name == FINDING:
            tools += finding_tools(ground, templates)
        elif name in READY_TOOLS:
            tools += ready_tools(name, None, ground, templates)
        elif name in box:
            tools.append(box.tools[name])
        else:
            known = [*READY_TOOLS, *box.names]
            raise UsageError(f"There is no tool {shown(name)!r}{perhaps(name, known) or '.'}", next_step=f"There are: {listed(known)}.")
    return Toolbox.of(tools)


# ---------------------------------------------------------------- what is wrong, and what it asks for


def problems(config: Config) -> Iterator[Problem]:
    """What is wrong with the ready tools of a configuration."""
    seen: set[str] = set()
    for name, place, access in ready_in(config.orchestration.tools):
        where: Place = ("orchestration", "tools", *place)
        if name in seen:
            yield config.document.problem(where, f"'{name}' is named twice; write it once, with its settings")
        seen.add(name)
        if name == "web" and access is None:
            yield config.document.problem(where, _NO_HOSTS)
        if isinstance(access, FileAccess | CommandAccess) and not _root(config, access).is_dir():
            text = config.document.display((*where, "root"), access.root)
            yield config.document.problem((*where, "root"), f"there is no folder '{text}'; make it, or name another one")
        if isinstance(access, CommandAccess):
            yield from _open_to_all(config, access, where)


def _open_to_all(config: Config, access: CommandAccess, where: Place) -> Iterator[Problem]:
    """Commands that would run without a question, whatever they are."""
    for pattern in access.allow if access.run == "allow" else ():
        if not pattern.split() or pattern.split()[0].startswith("*"):
            message = "run: allow needs the commands in allow, each with its program, like 'pytest *'"
            yield config.document.problem((*where, "allow"), message)


def _root(config: Config, access: FileAccess | CommandAccess) -> Path:
    return _folder(config) / Path(access.root).expanduser()


def demands(config: Config) -> list[str]:
    """What the ready tools ask for, one line each. For a file that nobody named."""
    return [_demand(config, name, access) for name, _, access in ready_in(config.orchestration.tools)]


def _demand(config: Config, name: str, access: Access | None) -> str:
    if isinstance(access, PageAccess):
        return f"let models fetch pages of {shown(listed(access.allow), 200)}"
    if name == "shell":
        commands = access if isinstance(access, CommandAccess) else CommandAccess()
        how = "" if commands.run == "ask" else ", without asking you"
        return f"let models run commands in {shown(str(_root(config, commands)), 200)}: {shown(listed(commands.allow), 200)}{how}"
    files = access if isinstance(access, FileAccess) else FileAccess()
    how = {"ask": " and change them when you approve", "allow": " and change them without asking you", "never": ""}[files.write]
    return f"let models read the files in {shown(str(_root(config, files)), 200)}{how}"

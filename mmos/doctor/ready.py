"""Says which role may change files, run commands and fetch pages with the ready tools."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from mmos.config.load import Config
from mmos.config.roles import ResolvedRole
from mmos.config.tools_schema import Access, CommandAccess, FileAccess, PageAccess, ready_in
from mmos.config.wording import listed, shown
from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, info, warning

_TOOLS = {
    "files": ("list_files", "search_files", "read_file", "write_file", "edit_file"),
    "shell": ("run_command",),
    "web": ("fetch_page",),
}
_CHANGES = ("write_file", "edit_file")


def permissions(facts: Facts) -> Iterator[Finding]:
    if facts.config is None:
        return
    for name, _, access in ready_in(facts.config.orchestration.tools):
        if not (roles := _holders(facts, _TOOLS[name])):
            yield info("tools_unused", name, "No role holds its tools.", f"Name them under tools of a role: {', '.join(_TOOLS[name])}.")
        elif name == "files":
            yield from _files(facts, facts.config, access)
        elif name == "shell":
            yield from _commands(facts.config, access, roles)
        elif isinstance(access, PageAccess):
            yield _pages(access, roles)


def _holders(facts: Facts, tools: tuple[str, ...]) -> list[str]:
    """The roles that hold one of these tools."""
    return [role.name for role in facts.roles.values() if any(_holds(role, tool) for tool in tools)]


def _holds(role: ResolvedRole, tool: str) -> bool:
    if _matches(tool, role.tools.deny):
        return False
    return role.name == "arbiter" if role.tools.allow is None else _matches(tool, role.tools.allow)


def _matches(tool: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(tool, pattern) or tool in _TOOLS.get(pattern, ()) for pattern in patterns)


def _files(facts: Facts, config: Config, access: Access | None) -> Iterator[Finding]:
    files = access if isinstance(access, FileAccess) else FileAccess()
    root = _root(config, files.root)
    if _is_wide(root):
        holders = listed(_holders(facts, _TOOLS["files"]))
        message = f"Its root is {shown(str(root), 200)}: models may read the files of all your projects, and keys."
        yield warning("tools_root_wide", holders, message, "Write the folder of one project as root.")
    if files.write != "never" and (writers := _holders(facts, _CHANGES)):
        asks = files.write == "ask"
        message = f"May change files in {shown(str(root), 200)}, {'when you approve' if asks else 'without asking you'}."
        cure = "write: never takes the right away." if asks else "Write write: ask, or deny write_file and edit_file for the role."
        yield (info if asks else warning)("tools_may_write", listed(writers), message, cure)


def _commands(config: Config, access: Access | None, roles: list[str]) -> Iterator[Finding]:
    commands = access if isinstance(access, CommandAccess) else CommandAccess()
    root, asks = _root(config, commands.root), commands.run == "ask"
    which = "any command" if "*" in commands.allow else f"commands ({shown(listed(commands.allow), 200)})"
    message = f"May run {which} in {shown(str(root), 200)}, {'when you approve' if asks else 'without asking you'}."
    cure = "Name the commands under allow." if "*" in commands.allow else "Write run: ask, or deny run_command for the role."
    yield (info if asks else warning)("tools_may_run", listed(roles), message, cure)


def _pages(access: PageAccess, roles: list[str]) -> Finding:
    if "*" in access.allow:
        message = "May fetch pages of every public host. An address can carry what a model has read away."
        return warning("tools_may_fetch", listed(roles), message, "Name the hosts under allow of web.")
    message = f"May fetch pages of {shown(listed(access.allow), 200)}."
    return info("tools_may_fetch", listed(roles), message, "Deny fetch_page for roles that need no pages.")


def _root(config: Config, written: str) -> Path:
    return ((config.folder or Path.cwd()) / Path(written).expanduser()).resolve()


def _is_wide(root: Path) -> bool:
    """Whether it is the home folder or a folder around it."""
    return Path.home().resolve().is_relative_to(root)

"""Checks tools, permissions and prompts of a configuration, for `mmos run` and `mmos config check`, before any host is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mmos.app import ready, trust, wiring
from mmos.app.system_texts import system_of, text_of
from mmos.config.load import Config
from mmos.config.patterns_schema import own_forms
from mmos.config.phases import Phases
from mmos.config.schema import Role
from mmos.config.tools_schema import functions_in, ready_in
from mmos.config.wording import Place, perhaps
from mmos.errors import ConfigError, MmosError, Problem
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, Toolbox
from mmos.tools.functions import Reference, references
from mmos.tools.looking import UnusableError
from mmos.tools.reconsider import Find

if TYPE_CHECKING:  # few configurations have patterns
    from mmos.app.patterns import LookUps

PlacedName = tuple[str, Place]
"""A tool's name, and its place in the configuration."""

TOOLS: Place = ("orchestration", "tools")
SEARCH_LIBRARY = "search_library"
"""A tool that is there when the library has a collection. Permissions may name it before."""


def problems(config: Config, extra: Sequence[Tool] = ()) -> list[Problem]:
    """Everything that stops a run from starting. This reads files, but runs no code of the user and asks no host."""
    return _problems(config, extra, [*references(functions_in(config.orchestration.tools))]) or [*_unfilled(config)]


def _unfilled(config: Config) -> Iterator[Problem]:
    """The roles whose system text cannot be made."""
    roles, templates = wiring.roles_of(config, None), wiring.templates_of(config)
    for role in roles.values():
        try:
            system_of(role, roles, templates)
        except MmosError as error:
            yield Problem(str(templates.path(text_of(role, templates))), role.name, error.message)


def _problems(config: Config, extra: Sequence[Tool], functions: Sequence[Reference]) -> list[Problem]:
    wrong, names, certain = [*ready.problems(config), *forms_of_patterns(config, imported=False)], [], True
    for reference in functions:
        name: str | None = reference.name
        try:
            name = reference.look(config.folder)
        except UnusableError as error:
            wrong.append(_unusable(config, reference, error))
        certain &= name is not None
        names.append((name or reference.name, _place(reference)))
    house = wiring.tools_of_house(config, wiring.roles_of(config, None), Templates())  # only their names: the user's texts come below
    names = [*_names(house), *_placed(ready.ready_of(config, Templates())), *names, *_names(extra)]
    words = [(name, TOOLS) for name, _, _ in ready_in(config.orchestration.tools)]
    idle = _idle(config, [*names, *words]) if certain else ()
    return [*wrong, *_twins(config, names), *idle, *wiring.templates_of(config).problems()]


def tools_of(config: Config, extra: Sequence[Tool] = (), find: Find = wiring.nobody, look_ups: LookUps | None = None) -> Toolbox:
    """Every tool of a run. `find`: finds larger models. `look_ups`: gives patterns passages of the library. This imports the user's functions, after all checks that need no import."""
    functions = [*references(functions_in(config.orchestration.tools))]  # packages are asked before the folder is on the path
    _refuse(_problems(config, extra, functions))
    trust.check(config, os.environ)
    wrong, tools = [], []
    for reference in functions:
        try:
            tools.append((reference.load(config.folder), _place(reference)))
        except UnusableError as error:
            wrong.append(_unusable(config, reference, error))
    _refuse([*wrong, *forms_of_patterns(config, imported=True)])
    tools = [*ready.ready_of(config, wiring.templates_of(config)), *tools]
    house = wiring.tools_of_house(config, wiring.roles_of(config, None), wiring.templates_of(config), find, look_ups)
    names = [*_names(house), *_placed(tools), *_names(extra)]
    words = [(tool.group, place) for tool, place in tools if tool.group]
    _refuse([*_twins(config, names), *_idle(config, [*names, *dict.fromkeys(words)])])
    return Toolbox.of([*house, *(tool for tool, _ in tools), *extra])


def forms_of_patterns(config: Config, *, imported: bool) -> list[Problem]:
    """What is wrong with the user's own forms of patterns, by their files or after their import."""
    if not own_forms(config.orchestration.patterns):
        return []
    from mmos.app import forms  # few configurations have some

    return [*(forms.faults(config) if imported else forms.problems(config))]


def doubts(config: Config) -> list[Problem]:
    """Classes of tasks that are hard to recognize."""
    from mmos.choice.doubts import doubts as found

    place = ("orchestration", "routing", "classes")
    return [config.document.problem((*place, name, "examples"), message) for name, message in found(config.orchestration.routing.classes)]


def _refuse(wrong: Sequence[Problem]) -> None:
    if wrong:
        raise ConfigError(wrong)


def _names(tools: Sequence[Tool]) -> list[PlacedName]:
    return [(tool.name, TOOLS) for tool in tools]


def _placed(tools: Sequence[tuple[Tool, Place]]) -> list[PlacedName]:
    return [(tool.name, place) for tool, place in tools]


# ---------------------------------------------------------------- functions


def _place(reference: Reference) -> Place:
    return TOOLS if reference.place is None else (*TOOLS, reference.place)


def _unusable(config: Config, reference: Reference, error: UnusableError) -> Problem:
    if reference.place is None:
        return Problem("", f"entry point {reference.text}", f"MMOS cannot use it: {error}; update or remove the package that offers it")
    text = config.document.display(_place(reference), reference.text)
    return config.document.problem(_place(reference), f"'{text}' cannot be used: {error}")


def _twins(config: Config, names: Sequence[PlacedName]) -> Iterator[Problem]:
    seen: set[str] = set()
    for name, place in names:
        if name in seen:
            yield config.document.problem(place, f"two tools are named '{name}'; rename one of them")
        seen.add(name)


# ---------------------------------------------------------------- permissions


def _idle(config: Config, tools: Sequence[PlacedName]) -> Iterator[Problem]:
    """Permissions that match no tool: a typing error that would have no visible effect."""
    names = [name for name, _ in tools]
    for place, pattern in _permissions(config):
        if not any(fnmatchcase(name, pattern) for name in (*names, SEARCH_LIBRARY)):
            text = config.document.display(place, pattern)
            near = perhaps(pattern, names) if text == pattern else ""
            yield config.document.problem(place, f"'{text}' matches no tool{near or '.'} Tools: {', '.join(names)}")


def _permissions(config: Config) -> Iterator[tuple[Place, str]]:
    orchestration = config.orchestration
    roles: list[tuple[Place, Role]] = [(("arbiter",), orchestration.arbiter)]
    roles += [(("specialists", name), role) for name, role in orchestration.specialists.items()]
    for within, role in roles:
        place: Place = ("orchestration", *within, "tools")
        yield from _patterns(config, place, allow=role.tools.allow or [], deny=role.tools.deny, ask=role.tools.ask)
    for name, phase in Phases.of(orchestration.phases).phases.items():
        place = ("orchestration", "phases", name, "tools")
        yield from _patterns(config, place, allow=phase.tools.allow or [], deny=phase.tools.deny)


def _patterns(config: Config, place: Place, **keys: Sequence[str]) -> Iterator[tuple[Place, str]]:
    plain = isinstance(config.document.at(place), list)  # a plain list is the same as `allow`
    for key, patterns in keys.items():
        yield from (((*place, *(() if plain else (key,)), index), pattern) for index, pattern in enumerate(patterns))

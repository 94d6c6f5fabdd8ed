"""Completes runs, threads, roles, models, hosts and topics in the shell. It reads files only and asks no host."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import partial
from typing import Any

import click
from click.shell_completion import CompletionItem

from mmos.cli.options import Options
from mmos.cli.output import one_line
from mmos.errors import MmosError

MOST = 200
HELP_WIDTH = 60
MOST_STEPS = 20_000_000
"""Steps of SQLite for one query: some tenths of a second."""
Offers = Iterable[tuple[str, str]]
"""Values with short descriptions."""


def attach(command: click.Command) -> click.Command:
    """Add completion to the arguments and options of a command and its subcommands."""
    for parameter in command.params:
        source = _SOURCES.get(parameter.name or "")
        if source is not None and type(parameter.type) is type(click.STRING):
            parameter.type = KnownValues(parameter.type, source)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        attach(inner)
    return command


class KnownValues(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A text with known values."""

    name = "text"

    def __init__(self, of: click.ParamType[Any], source: Callable[[Options, str], Offers]) -> None:
        self._of = of
        self._source = source

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._of.convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        try:
            found = list(self._source(_options(ctx), incomplete))
        except (MmosError, OSError, sqlite3.Error, ValueError):  # Tab must not print errors
            return []
        fitting = [(value, about) for value, about in found if value.casefold().startswith(incomplete.casefold()) and value.isprintable()]
        return [CompletionItem(value, help=one_line(about, HELP_WIDTH) or None) for value, about in fitting[:MOST]]


def _options(ctx: click.Context) -> Options:
    parameters = ctx.params
    return Options(
        parameters.get("config"), parameters.get("state"), bool(parameters.get("rehearse")), json=False, verbose=0, embedded=bool(parameters.get("embedded"))
    )  # fmt: skip


# ---------------------------------------------------------------- from the journal

JOURNAL = "journal.db"
LISTED = "kind < 0"
"""The condition of the journal's own index. It is repeated here because importing the journal takes too long."""

_FIRST = "json_extract(replace(replace(CAST(data AS TEXT), char(1), char(127)), char(2), ''), '$[0]')"
"""The first value of an entry. In place of a reference to a text, it has a sign and the number of the text."""
_TEXT = f"""CASE WHEN substr({_FIRST}, 1, 1) = char(127)
    THEN (SELECT replace(CAST(piece AS TEXT), '\\n', ' ') FROM texts WHERE texts.id = CAST(substr({_FIRST}, 2) AS INTEGER)) ELSE {_FIRST} END"""
"""The first value, or the beginning of the text that it refers to, as JSON has it."""


def _are(*kinds: str) -> str:
    return f"kind IN (SELECT id FROM kinds WHERE name IN ({', '.join(map(repr, kinds))})) AND {LISTED}"


_RUNS = f"""SELECT name, CASE WHEN {_are("run_started")} THEN {_TEXT} END FROM entries JOIN names ON id = run
    WHERE {_are("run_started", "forked")} AND name != '' ORDER BY seq DESC LIMIT {MOST}"""
_PLAIN = """SELECT count(*) = 4 FROM sqlite_schema WHERE name IN ('entries', 'kinds', 'names', 'texts')
    AND type = 'table' AND sql LIKE 'CREATE TABLE %' AND sql NOT LIKE '%AS%'"""
_THREADS = f"""SELECT name, max(seq), max(CASE WHEN {_are("thread_named")} THEN {_TEXT} END)
    FROM entries JOIN names ON id = entries.thread WHERE {_are("thread_named", "run_started", "forked")} GROUP BY id ORDER BY 2 DESC LIMIT {MOST}"""


def _runs(options: Options, incomplete: str) -> Offers:  # noqa: ARG001
    return [(run, task or "") for run, task in _read(options, _RUNS)]


def _threads(options: Options, incomplete: str) -> Offers:  # noqa: ARG001
    """Offer threads by name, or by id if they have no name."""
    return [(name or thread, thread if name else "") for thread, _, name in _read(options, _THREADS)]


def _read(options: Options, query: str) -> list[tuple[Any, ...]]:
    path = options.found_state() / JOURNAL
    if path.is_symlink() or not path.is_file():
        return []
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=0.1, uri=True)) as database:
        database.execute("PRAGMA trusted_schema = OFF")
        # The file may be a stranger's: a view or computed columns would run its code, and a long one has no end.
        database.set_progress_handler(lambda: 1, MOST_STEPS)
        database.text_factory = partial(str, encoding="utf-8", errors="ignore")  # a piece may end within a character
        return database.execute(query).fetchall() if database.execute(_PLAIN).fetchone() == (1,) else []


# ---------------------------------------------------------------- from the configuration


def _configured(options: Options) -> Mapping[str, Any]:
    """Read the configuration without checking it."""
    from mmos.config.foreign.dialects import read_configuration
    from mmos.config.wording import mapping

    source = options.file()
    return mapping(read_configuration(source.path or source.built_in, "").data, "orchestration")


def _cast(configured: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    from mmos.config.crosscheck import roles_in

    return {str(place[-1]): role for place, role in roles_in(configured)}


def _members(configured: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Give the members of patterns, each with the name of its pattern."""
    from mmos.config.pattern_checks import members_in

    return [(str(place[1]), member) for place, member in members_in(configured)]


def _servers(configured: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    from mmos.config.wording import mapping

    return {name: mapping(configured, "servers", name) for name in mapping(configured, "servers")}


def _models(options: Options, incomplete: str = "") -> Offers:  # noqa: ARG001
    """Offer the models that roles use or servers list, and the keys of `models`."""
    from mmos.config.wording import mapping

    configured = _configured(options)
    used: dict[str, list[str]] = {}
    for role, about in (*_cast(configured).items(), *_members(configured)):
        if isinstance(about.get("model"), str):
            used.setdefault(about["model"], []).append(role)
    for name, server in _servers(configured).items():
        models = server.get("models")
        for model in models if isinstance(models, dict) else ():
            used.setdefault(model, []).append(f"on {name}")
    for key in mapping(configured, "models"):
        used.setdefault(str(key), []).append(str(mapping(configured, "models", key).get("model", "")))
    return [(model, ", ".join(users)) for model, users in used.items()]


def _hosts(options: Options, incomplete: str) -> Offers:  # noqa: ARG001
    configured = _configured(options)
    named = {name: str(server.get("url", "")) for name, server in _servers(configured).items()}
    for role in (*_cast(configured).values(), *(about for _, about in _members(configured))):
        servers = role.get("server", ())
        for name in [servers] if isinstance(servers, str) else servers if isinstance(servers, list) else []:
            named.setdefault(str(name), "")
    return named.items()


def _roles(options: Options, incomplete: str) -> Offers:
    """Complete `ROLE=MODEL@HOST` one part at a time."""
    role, sign, model = incomplete.partition("=")
    if not sign:
        return [(f"{name}=", str(about.get("model", ""))) for name, about in _cast(_configured(options)).items()]
    name, at, _ = model.partition("@")
    if not at:
        return [(f"{role}={model}", about) for model, about in _models(options)]
    return [(f"{role}={name}@{host}", url) for host, url in _hosts(options, "")]


def _names(options: Options, incomplete: str) -> Offers:  # noqa: ARG001
    return [(name, str(about.get("model", ""))) for name, about in _cast(_configured(options)).items()]


def _defaults(options: Options, incomplete: str) -> Offers:
    """Offer who can answer by default."""
    return [("single", ""), ("intelligent", ""), *_patterns(options, incomplete), ("none", "")]


def _tools(options: Options, incomplete: str) -> Offers:  # noqa: ARG001
    """Offer the tools that are ready, and the user's functions."""
    from mmos.names import READY_TOOLS

    named = _configured(options).get("tools")
    functions = [text.partition(":")[2] for text in named if isinstance(text, str) and ":" in text] if isinstance(named, list) else []
    return [(name, "") for name in [*READY_TOOLS, *functions]]


def _topics(options: Options, incomplete: str) -> Offers:  # noqa: ARG001
    from mmos.cli.help import summaries

    return summaries().items()


def _prompts(options: Options, incomplete: str) -> Offers:  # noqa: ARG001
    """Offer prompts by name, and by the roles that read them."""
    from mmos.prompting.templates import texts

    roles = {name: str(about.get("model", "")) for name, about in _cast(_configured(options)).items()}
    return {**roles, **{name: f"{text.reader}: {text.use}" for name, text in texts().items()}}.items()


def _patterns(options: Options, incomplete: str) -> Offers:  # noqa: ARG001
    from mmos.config.wording import mapping

    configured = mapping(_configured(options), "patterns")
    return [(str(name), str(mapping(configured, name).get("pattern", ""))) for name in configured]


def _forms(options: Options, incomplete: str) -> Offers:
    """Offer the forms of patterns, and the patterns."""
    from mmos.cli.pattern_options import SHAPES

    return [*((shape, "") for shape in SHAPES), *_patterns(options, incomplete)]


def _strategies(options: Options, incomplete: str) -> Offers:
    from mmos.cli.options import ANSWERING

    return [*((word, "") for word in ANSWERING), *_forms(options, incomplete)]


_SOURCES: dict[str, Callable[[Options, str], Offers]] = {
    "run": _runs, "thread": _threads, "model": _models, "hosts": _hosts, "host": _hosts, "roles": _roles,
    "role_only": _names, "topic": _topics, "prompt": _prompts, "pattern": _patterns, "multi_model": _patterns,
    "pipelines": _patterns, "models": _models, "shape": _forms, "strategy": _strategies, "who_answers": _defaults,
    "pipeline": _patterns, "tools": _tools,
}  # fmt: skip
"""Completions by parameter name. A name means the same in every command."""

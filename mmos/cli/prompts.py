"""`mmos prompts`: shows the texts that models read, their files, and what differs from the built-in ones."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, shared_options
from mmos.cli.output import print_json, write_unchanged
from mmos.cli.styles import Style, style
from mmos.cli.tables import Cell, table
from mmos.cli.text import harmless

if TYPE_CHECKING:
    from mmos.config.roles import ResolvedRole
    from mmos.prompting.templates import Templates

COLOURS: Mapping[str, Style] = {"+": "ok", "-": "error", "@": "accent"}
"""Colours of diff lines, by their first character."""


@dataclass(frozen=True)
class Shelf:
    """The prompts of a configuration, and the roles that read them."""

    templates: Templates
    roles: Mapping[str, ResolvedRole]

    @classmethod
    def of(cls, options: Options) -> Shelf:
        from mmos.app import wiring

        config = options.source()
        return cls(wiring.templates_of(config), wiring.roles_of(config, None))

    def named(self, word: str, *, by_role: bool = False) -> tuple[str, str | None]:
        """Find a prompt by its name or by a role that reads it. Return it with the role."""
        from mmos.app.system_texts import text_of
        from mmos.config.wording import perhaps, shown
        from mmos.errors import NotFound

        texts, role = self.templates.described, word if word in self.roles else None
        if word in texts and not (by_role and role):
            return word, role
        if role is None:
            near = perhaps(word, [*texts, *self.roles])
            raise NotFound(f"No prompt and no role is named '{shown(word)}'{near or '.'}", next_step="See `mmos prompts list`.")
        return text_of(self.roles[role], self.templates), role

    def as_dict(self, name: str) -> dict[str, Any]:
        """Describe a prompt for JSON documents."""
        from mmos.errors import ConfigError

        about = self.templates.about(name)
        try:
            used = self.templates.places_in(name)
        except ConfigError:  # one of the problems
            used = ()
        return {
            "name": name, "source": self.templates.source(name), "path": str(self.templates.path(name)), "reader": about.reader,
            "use": about.use, "places": dict(about.places), "left_out": [place for place in about.places if place not in used],
        }  # fmt: skip

    def used(self) -> dict[str, dict[str, str]]:
        """The prompt of each role, and its file."""
        from mmos.app.system_texts import text_of, texts_of

        found = {}
        for name, role in self.roles.items():
            prompt = text_of(role, self.templates)
            templates = self.templates if self.templates.has_role(prompt) else texts_of(role, self.templates)
            found[name] = {"prompt": prompt, "source": templates.source(prompt), "path": str(templates.path(prompt))}
        return found

    def diff(self, name: str) -> list[str]:
        """Make a diff from the built-in text to the used one."""
        from mmos.prompting.templates import Templates

        section = f" ({name})" if self.templates.about(name).section else ""
        names = (f"built in/{self.templates.shipped(name).name}{section}", f"{_near(self.templates.path(name))}{section}")
        ours = Templates().body(self.templates.replaces(name)).strip().splitlines()
        used = self.templates.body(name).strip().splitlines()
        return list(difflib.unified_diff(ours, used, *names, lineterm=""))


def _near(path: Path) -> str:
    """Shorten a path as users would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@click.group()
def prompts() -> None:
    """Show the texts that models read, and what you changed.

    \b
    mmos prompts list
    mmos prompts show arbiter
    mmos prompts diff
    """


@prompts.command("list")
@shared_options
def list_prompts(options: Options) -> int:
    """List every prompt: its file, its places, and who reads it; and for each role the file with its text.

    The list also names files in your folder that cannot be used (exit code 2) and files that MMOS never reads.

    \b
    mmos prompts list
    mmos prompts list --json
    """
    shelf = Shelf.of(options)
    rows = [shelf.as_dict(name) for name in shelf.templates.described]
    problems, unused, lacking = shelf.templates.problems(), shelf.templates.unused(), shelf.templates.lacking()
    if options.json:
        kinds = {"problems": problems, "unused": unused, "lacking": lacking}
        faults = {kind: [{"path": p.where, "message": p.message} for p in found] for kind, found in kinds.items()}
        folder = shelf.templates.folder
        print_json({"version": 1, "folder": str(folder) if folder else None, "prompts": rows, "roles": shelf.used(), **faults})
        return 2 if problems else 0
    table(("PROMPT", "FILE", "PLACES", "READ BY"), map(_row, rows), spare=("PLACES",))
    click.echo()
    table(("ROLE", "PROMPT", "FILE"), ((role, one["prompt"], _file(one)) for role, one in shelf.used().items()))
    levels: tuple[Style, Style] = ("error", "warning")
    for level, found in zip(levels, (problems, [*unused, *lacking]), strict=True):
        for problem in found:
            click.echo(f"{style(level, level)}: {problem}", err=True)
    return 2 if problems else 0


def _file(row: Mapping[str, Any]) -> Cell:
    return (_near(Path(row["path"])), "ok") if row["source"] == "own" else row["source"].replace("_", " ")


def _row(row: Mapping[str, Any]) -> list[Cell]:
    places = [place for place in row["places"] if place not in row["left_out"]]
    return [row["name"], _file(row), ", ".join(places), f"{row['reader']}: {row['use']}"]


@prompts.command()
@click.argument("prompt")
@click.option("--filled", is_flag=True, help="Show the system prompt of a role, with all places filled in.")
@click.option("--built-in", is_flag=True, help="Show the built-in text, even if you use your own.")
@shared_options
def show(options: Options, prompt: str, filled: bool, built_in: bool) -> None:
    """Show a prompt by its name, or by the name of a role that reads it.

    The text goes to stdout, a description to stderr. So you can start your own file with the built-in text.

    \b
    mmos prompts show coding
    mmos prompts show arbiter --filled
    mmos prompts show brief --built-in > my-prompts/brief.md
    """
    from mmos.prompting.templates import Templates

    if filled and built_in:
        raise click.UsageError("--filled and --built-in cannot be used together. Give one of them.")
    shelf = Shelf.of(options)
    name, role = shelf.named(prompt, by_role=filled)
    if built_in:
        name, shelf = shelf.templates.replaces(name), replace(shelf, templates=Templates())
    text = _filled(shelf, name, role) if filled else shelf.templates.whole(name)
    about = shelf.as_dict(name)
    if options.json:
        print_json({"version": 1, **about, "role": role, "text": text})
        return
    _explain(about, places=not filled)
    write_unchanged(text if text.endswith("\n") else f"{text}\n")


def _explain(about: Mapping[str, Any], *, places: bool) -> None:
    click.echo(f"{_near(Path(about['path']))}, read by {about['reader']}: {about['use']}", err=True)
    for place, meaning in about["places"].items() if places else ():
        left_out = " (not in this text)" if place in about["left_out"] else ""
        click.echo(f"  {{{{ {place} }}}}  {meaning}{left_out}", err=True)


def _filled(shelf: Shelf, name: str, role: str | None) -> str:
    from mmos.app.system_texts import system_of
    from mmos.errors import UsageError

    if role is None:
        raise UsageError(f"The places of {name} are filled during a run.", next_step=f"--filled takes a role: {', '.join(shelf.roles)}.")
    return system_of(shelf.roles[role], shelf.roles, shelf.templates)


@prompts.command()
@click.argument("prompt", required=False)
@shared_options
def diff(options: Options, prompt: str | None) -> None:
    """Show the differences between the built-in prompts and the used ones.

    \b
    mmos prompts diff
    mmos prompts diff coding
    """
    shelf = Shelf.of(options)
    names = [shelf.named(prompt)[0]] if prompt else list(shelf.templates.described)
    found = {name: lines for name in names if (lines := shelf.diff(name))}
    if options.json:
        rows = [{"name": name, "path": str(shelf.templates.path(name)), "diff": "\n".join(lines)} for name, lines in found.items()]
        print_json({"version": 1, "prompts": rows})
        return
    for lines in found.values():
        for line in lines:
            click.echo(style(harmless(line), *([COLOURS[line[0]]] if line[:1] in COLOURS else ())))
    if not found:
        click.echo("The built-in text is used." if prompt else "All prompts are the built-in ones.", err=True)

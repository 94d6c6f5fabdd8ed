"""Proposes the right command for an unknown one, such as a command of Ollama or another tool."""

from __future__ import annotations

from collections.abc import Sequence

import click

_OLLAMA = "This is a command of Ollama. Type on the host: ollama {word}{rest}"
_REMOVE = "MMOS does not remove models. Type on the host: ollama rm{model}"
_LOADED = "To see which models are loaded where: mmos hosts"
_LIST = "To list the models of all hosts: mmos models list"
_PULL = "To fetch a model: mmos models pull{model}"
_SHOW = "To see a model's details: mmos models show{model}"
_WARM = "To load a model: mmos models warm{model}"
_UNLOAD = "To unload a model: mmos models unload{model}"
_ADD_HOST = "To add a host to the file: mmos config add-host{host}"
_OF_MODELS = {
    **dict.fromkeys(("rm", "remove", "delete"), _REMOVE),
    **dict.fromkeys(("create", "cp", "copy", "push"), _OLLAMA),
    **dict.fromkeys(("add", "download", "fetch", "get"), _PULL),
    **dict.fromkeys(("load", "preload", "start"), _WARM),
    "ps": _LOADED,
    "ls": _LIST,
    "info": _SHOW,
    "stop": _UNLOAD,
    "forget": "To forget what a test found: mmos models test --forget{model}",
}
_WORDS = {
    "": {
        **_OF_MODELS,
        **dict.fromkeys(("signin", "signout"), _OLLAMA),
        **dict.fromkeys(("status", "top", "nodes"), _LOADED),
        **dict.fromkeys(("ask", "exec", "generate", "prompt"), "To run a task: mmos run{task}"),
        "add": _ADD_HOST,
        "list": _LIST,
        "pull": _PULL,
        "serve": "To start Ollama, type on the host: ollama serve. To start one for each GPU: mmos hosts serve --gpus 0,1. To try MMOS without one: mmos rehearse",
        "show": _SHOW,
        "version": "To see the version: mmos --version",
    },
    "models": _OF_MODELS,
    "config": {
        **dict.fromkeys(("add", "host", "hosts"), _ADD_HOST),
        **dict.fromkeys(("validate", "test", "lint"), "To check the file: mmos config check"),
        **dict.fromkeys(("new", "create", "generate"), "To write a file: mmos config init{host}"),
        **dict.fromkeys(("list", "ls", "get", "view", "cat"), "To see every value and its source: mmos config show"),
    },
}
"""Hints by group. The empty name is `mmos` itself."""


class HintingGroup(click.Group):
    """A group of commands that proposes the right command for an unknown one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands and not ctx.resilient_parsing:
            raise no_command(ctx, self.name or "", args, list(self.commands))
        return super().resolve_command(ctx, args)


def no_command(ctx: click.Context, group: str, args: Sequence[str], known: Sequence[str]) -> click.UsageError:
    """`group` is empty for `mmos` itself."""
    word, *rest = args
    hint = _in_words_of_ours(group, word, rest) or _near(word, known) or ("" if group else _of_a_group(ctx, word))
    named = f"mmos {group} {word}" if group else word
    return click.UsageError(f"There is no command {named!r}. {hint}".rstrip(), ctx)


def _in_words_of_ours(group: str, word: str, rest: Sequence[str]) -> str:
    words = " ".join(one for one in rest if not one.startswith("-") and one.isprintable())[:100]
    return (
        _WORDS.get(group, {})
        .get(word, "")
        .format(
            word=word,
            rest=f" {words}" if words else "",
            model=f" {words or 'MODEL'}",
            host=f" {words or 'HOST'}",
            task=f' "{words}"' if words else " TASK",
        )
    )


def _near(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


def _of_a_group(ctx: click.Context, word: str) -> str:
    """Find a command that exactly one group has."""
    top = ctx.command
    groups = [top.get_command(ctx, name) for name in top.list_commands(ctx)] if isinstance(top, click.Group) else []
    found = [group.name for group in groups if isinstance(group, click.Group) and word in group.commands]
    return f"Did you mean: mmos {found[0]} {word}?" if len(found) == 1 else ""

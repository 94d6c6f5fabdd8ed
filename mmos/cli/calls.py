"""`mmos calls`: shows which tool calls MMOS reads in a text. It needs no model and no configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from mmos.cli.lines import Form, answer_lines, lines_of, print_line, value_of
from mmos.errors import UsageError
from mmos.messages import Message

if TYPE_CHECKING:
    from mmos.calls.naming import Names
    from mmos.calls.seen import Seen

HINT = (
    'Give it JSON lines, each {"text": "…", "tools": [{"name", "description", "parameters"}]}:\n'
    "  mmos calls read texts.jsonl\n"
    '  echo \'{"text": "…", "tools": […]}\' | mmos calls read\n'
    "  mmos calls read --text '[get_weather(city=\"Paris\")]' --tools tools.json"
)


@click.group()
def calls() -> None:
    """Show which tool calls MMOS reads in a text.

    \b
    mmos calls read replies.jsonl
    """


@calls.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--text", help="Read this one text instead of JSON lines.")
@click.option(
    "--tools",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON file with the offered tools, for lines that have none.",
)
@click.option(
    "--seen",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text file with what the model was given. A call that stands in it is a quotation and stays text.",
)
def read(file: Path | None, text: str | None, tools: Path | None, seen: Path | None) -> int:
    """Read tool calls in texts: JSON lines in, JSON lines out.

    An input line is {"text", "tools", "tool_calls"?, "thinking"?, "error"?, "eval_count"?, "done_reason"?, "seen"?}. The output line is
    {"calls", "content", "repairs", "unclear"}, with all other fields of the input line. "seen" is a list of texts that the model was
    given. A call that stands in one of them is a quotation and stays text.

    \b
    mmos calls read replies.jsonl > calls.jsonl
    mmos calls read --tools tools.json --text 'weather(city="Rome")'
    """
    offers = _Offers(_tools(tools) if tools is not None else None, [seen.read_text("utf-8", "replace")] if seen is not None else [])
    if text is not None:
        print_line(_answer({"text": text}, offers), {})
        return 0
    with lines_of(file, HINT) as lines:
        return answer_lines(lines, FORM, lambda fields: _answer(fields, offers))


def _tools(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path} is not JSON: {error}.") from None


class _Offers:
    """Prepare the tools of a line. Lines that offer the same tools share them."""

    def __init__(self, shared: Any, seen: list[str]) -> None:
        self._shared = shared
        self._seen = [Message("user", text) for text in seen]
        self._key: str | None = ""
        self._names: Names | None = None

    def names(self, fields: Mapping[str, Any]) -> Names:
        from mmos.calls.dialect import specs_of
        from mmos.calls.naming import Names

        written = fields.get("tools")
        if self._names is None or written != self._key:
            self._names = Names(specs_of(self._shared if written is None else value_of(written)))
            self._key = written
        return self._names

    def seen(self, fields: Mapping[str, Any]) -> Seen | None:
        """What the model of a line was given, beside what all were given."""
        from mmos.calls.seen import Seen

        own = fields.get("seen")
        texts = [own] if isinstance(own, str) else own if isinstance(own, list) else []
        messages = [*self._seen, *(Message("user", text) for text in texts if isinstance(text, str))]
        return Seen(messages) if messages else None


FORM = Form(
    needs="text",
    reads=frozenset({"text", "tools", "tool_calls", "thinking", "error", "eval_count", "done_reason", "seen"}),
    writes=frozenset({"calls", "content", "repairs", "unclear"}),
    raw=frozenset({"tools"}),
)


def _answer(fields: Mapping[str, Any], offers: _Offers) -> dict[str, Any]:
    from mmos.calls.text import RawReply, read_text

    names = offers.names(fields)
    count = fields.get("eval_count")
    material = RawReply(
        fields["text"],
        names,
        _called(fields.get("tool_calls")),
        thinking=str(fields.get("thinking") or ""),
        error=_sentence(fields.get("error")),
        eval_count=count if isinstance(count, int) else 0,
        done_reason=str(fields.get("done_reason") or ""),
        seen=offers.seen(fields),
    )
    read = read_text(material)
    return {
        "calls": [{"name": call.name, "arguments": call.arguments} for call in read.calls],
        "content": read.content,
        "repairs": [{"stage": stage, "what": what} for stage, what in read.repairs],
        "unclear": read.unclear or None,
    }


def _called(value: Any) -> list[Mapping[str, Any]]:
    """Read a server's calls, wrapped as in `/api/chat` or not."""
    calls = [value] if isinstance(value, Mapping) else value if isinstance(value, list) else []
    return [call["function"] if isinstance(call.get("function"), Mapping) else call for call in calls if isinstance(call, Mapping)]


def _sentence(error: Any) -> str:
    """Unwrap the message of an error: `{"error": {"message": "…"}}`, also nested or as text."""
    for _ in range(4):
        if isinstance(error, str) and error.lstrip().startswith("{"):
            try:
                error = orjson.loads(error)
            except orjson.JSONDecodeError:
                break
        if not isinstance(error, dict):
            break
        error = error.get("error", error.get("message"))
    return "" if error is None else error if isinstance(error, str) else json.dumps(error)

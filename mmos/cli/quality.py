"""`mmos quality`: finds faults in an answer or in a file of code. No model is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.lines import STDIN, Form, answer_lines, jsonl_option, lines_of
from mmos.cli.options import AnyPath, Options, shared_options
from mmos.cli.output import print_json
from mmos.cli.styles import Style, style
from mmos.cli.tables import IN_A_PIPE, terminal_width
from mmos.cli.text import flat, hanging, harmless
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.quality.finding import Finding, Subject

HINT = 'Give it JSON lines, each {"answer": "…"}: mmos quality --jsonl answers.jsonl'
NO_ANSWER = "Name a file: mmos quality answer.md. Or on stdin: mmos run TASK | mmos quality"
FORM = Form(
    "answer",
    reads=frozenset({"answer", "question", "files"}),
    writes=frozenset({"verdict", "score", "findings", "skipped", "error"}),
)
STYLES: Mapping[str, Style] = {"error": "error", "warning": "warning", "note": "dim"}


@click.command(options_metavar="[OPTIONS]")
@click.argument("file", required=False, type=AnyPath(), metavar="[FILE|-]")
@click.option("--question", default="", metavar="TEXT", help="What was asked: the answer must have the parts that it asks for.")
@click.option(
    "-f", "--file", "given", multiple=True, type=AnyPath(), metavar="FILE", help="A file that came with the question. Repeatable."
)
@jsonl_option('Read JSON lines, each {"answer", "question"?, "files"?}')
@shared_options
def quality(options: Options, /, file: str | None, question: str, given: Sequence[str], jsonl: str | None) -> int:
    """Check an answer without asking a model.

    It finds code that does not parse, dangerous code, secrets, names that do not exist, wrong quotations, missing parts, and answers that
    end in the middle. Without FILE, or with `-`, the answer comes from stdin. FILE may also be code. Exits with 1 if there is an error.

    \b
    mmos run "Write a web server in Python" | mmos quality
    mmos quality --question "Explain app.py" -f app.py answer.md
    mmos quality --jsonl answers.jsonl > verdicts.jsonl
    """
    if jsonl is not None:
        if file is not None or question or given:
            raise click.UsageError("With --jsonl the lines name the answer, its question and its files. Leave FILE, --question and -f out.")
        with lines_of(jsonl, HINT) as lines:
            return answer_lines(lines, FORM, lambda fields: _verdict(_subject(fields)))
    checked = _verdict(_given(file, question, given))
    if options.json:
        print_json({"version": 1, **checked})
    else:
        _show(checked)
    return int(checked["verdict"] == "fail")


def _subject(fields: Mapping[str, Any]) -> Subject:
    """What a line asks to check. Raises UsageError if a field is not what it must be."""
    from mmos.quality.finding import Subject

    question, files = fields.get("question") or "", fields.get("files") or {}
    if not isinstance(question, str):
        raise UsageError('"question" is not a text.')
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise UsageError('"files" is not an object with the text of each file.')
    return Subject(question, fields["answer"], files)


def _given(file: str | None, question: str, given: Sequence[str]) -> Subject:
    from mmos.quality.finding import Subject

    return Subject(question, _answer(file), dict(map(_text_of_file, given)))


def _answer(file: str | None) -> str:
    """The answer: of stdin, or of a file. Code is put into a block that names its file."""
    from mmos.cli.task import is_piped, read_stdin
    from mmos.fences import fence
    from mmos.files import text_of
    from mmos.quality.languages import language_of_file

    if file is None and not is_piped():
        raise UsageError("There is no answer to check.", next_step=NO_ANSWER)
    if file is None or file == STDIN:
        return text_of("The answer on stdin", read_stdin())
    name, text = _text_of_file(file)
    if language_of_file(name) in ("", "markdown", "text"):
        return text
    return f"{fence(text)}{Path(name).suffix[1:] or 'text'} {name}\n{text}\n{fence(text)}\n"


def _text_of_file(path: str) -> tuple[str, str]:
    from mmos.files import read

    file = read(path)
    if file.image:
        raise UsageError(f"{harmless(path)} is an image.", next_step="Only texts can be checked.")
    return file.name, file.text


def _verdict(subject: Subject) -> dict[str, Any]:
    from mmos.quality.checks import check, skipped
    from mmos.quality.score import passes, score_of

    findings = check(subject)
    return {
        "verdict": "pass" if passes(findings) else "fail",
        "score": score_of(findings),
        "findings": [_as_dict(finding) for finding in findings],
        "skipped": list(skipped(subject)),
    }


def _as_dict(finding: Finding) -> dict[str, str]:
    names = ("kind", "severity", "where", "message", "cure", "quote")
    return {name: getattr(finding, name) for name in names}


def _show(checked: Mapping[str, Any]) -> None:
    found = checked["findings"]
    counts = [f"{count} {kind}{'s' if count > 1 else ''}" for kind in STYLES if (count := sum(one["severity"] == kind for one in found))]
    verdict = style(checked["verdict"], "ok" if checked["verdict"] == "pass" else "error")
    click.echo(f"{verdict}  {checked['score']:.2f}  {', '.join(counts) or 'nothing found'}")
    for one in found:
        click.echo()
        click.echo("\n".join(_lines(one)))
    for language in checked["skipped"]:
        click.echo(f"\n{language} was not parsed: its grammar is not installed. Install it: pip install 'mmos[quality]'")


def _lines(one: Mapping[str, str]) -> Iterable[str]:
    width = terminal_width() or IN_A_PIPE
    place = f"  {flat(one['where'])}" if one["where"] else ""
    yield f"{style(one['severity'], STYLES[one['severity']])}  {one['kind']}{place}"
    for text in (one["message"], one["cure"]):
        if text:
            yield from hanging("  ", flat(text), width)
    if one["quote"]:
        yield from hanging("  > ", flat(one["quote"]), width)

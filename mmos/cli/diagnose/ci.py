"""Prints a diagnosis where a CI system shows it: at the line of the source file, in the log, and in the summary of the job."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mmos.cli.text import harmless
from mmos.diagnosis.places import Place, nearest
from mmos.fences import fence

if TYPE_CHECKING:
    from mmos.app.diagnosis import Diagnosis

BEFORE = 40
"""Lines before the evidence that may name the source file, such as those of a stack trace."""

AFTER = 12
_FOLLOWS = re.compile(r"\s*--> \S|\S+:\d+: \w+$")
"""Rust and pytest write the place below the message."""


def place_of(diagnosis: Diagnosis, folder: Path) -> Place | None:
    """The place in a file of this folder where the failure shows."""
    if not diagnosis.evidence:
        return None
    first = diagnosis.evidence[0].number
    around = diagnosis.failure.log.lines([*range(max(1, first - BEFORE), first), *range(first + 1, first + AFTER)])
    before = [line for number, line in around.items() if number < first]
    after = [line for number, line in around.items() if number > first and _FOLLOWS.match(line.text)]
    return nearest((*diagnosis.evidence, *after), before, lambda path: _own(path, folder))


def _own(path: str, folder: Path) -> str | None:
    """The name of a file inside the folder. Nothing outside is looked at, because the name comes from a log."""
    parts = Path(path).parts
    if parts[: len(folder.parts)] == folder.parts:
        parts = parts[len(folder.parts) :]
    if not parts or ".." in parts or Path(*parts).is_absolute():
        return None
    inside = Path(*parts)
    return inside.as_posix() if (folder / inside).is_file() else None


def headline(diagnosis: Diagnosis) -> str:
    return harmless(
        f"{diagnosis.category or 'Failure'}: {diagnosis.cause}" if diagnosis.cause else "The cause of the failure is not known."
    )


# ---------------------------------------------------------------- GitHub


def github(diagnosis: Diagnosis, place: Place | None) -> str:
    """Workflow commands and text for the log of a job. Nothing of the failed command can be one of these commands."""
    where = {"file": place.path, "line": str(place.line)} if place else {}
    properties = ",".join(f"{name}={_property(value)}" for name, value in {**where, "title": f"{diagnosis.failure.title}"}.items())
    body = "\n".join(f"  {_tame(line)}" for line in diagnosis.text(str(place or "")).splitlines())
    return f"::error {properties}::{_data(headline(diagnosis))}\n::group::{_data(_tame(diagnosis.failure.title))}\n{body}\n::endgroup::\n"


def _tame(line: str) -> str:
    """A line that the runner takes for text. It looks for `::` at the start of a line, and for `##[` anywhere."""
    line = harmless(line).replace("##[", "## [")
    return line if not line.lstrip().startswith("::") else f": {line.lstrip()[1:]}"


def _data(text: str) -> str:
    return harmless(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace("##[", "## [")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def markdown(diagnosis: Diagnosis, place: Place | None) -> str:
    """The summary of a job."""
    parts = [f"### {_inline(diagnosis.failure.title)}", _inline(headline(diagnosis))]
    if place:
        parts.append(f"At {_inline(str(place))}.")
    evidence = "\n".join(f"{line.number} | {harmless(line.text)}" for line in diagnosis.evidence)
    if evidence:
        parts.append(_block(evidence))
    if diagnosis.failure.ending and not diagnosis.category:
        parts.append(_inline(diagnosis.failure.ending))
    if diagnosis.cure:
        parts.append(f"**What helps:** {_inline(diagnosis.cure)}")
    parts += [
        f"{number}. {_inline(each.text)}" + (f"\n\n{_block(each.command)}" if each.command else "")
        for number, each in enumerate(diagnosis.suggestions, 1)
    ]
    if diagnosis.more:
        parts.append(f"More certain with: {_inline(diagnosis.more)}")
    if diagnosis.reason:
        parts.append(f"No model explains it: {_inline(diagnosis.reason.message)}")
    return "\n\n".join(parts) + "\n"


def _block(text: str) -> str:
    text = harmless(text)
    line = fence(text)
    return f"{line}\n{text}\n{line}"


def _inline(text: str) -> str:
    """A text that adds no markup of its own."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|~!" else sign for sign in " ".join(harmless(text).split()))


def summarise(text: str, path: str) -> None:
    """Add to the summary of the job, in the file that GitHub names."""
    with Path(path).open("a", encoding="utf-8", errors="replace") as file:
        file.write(text)


# ---------------------------------------------------------------- GitLab


def gitlab(diagnosis: Diagnosis, place: Place | None, now: float) -> str:
    """A section of the log of a job, which can be folded."""
    body = "\n".join(harmless(line) for line in diagnosis.text(str(place or "")).splitlines())
    title = harmless(f"mmos: {diagnosis.failure.title}").replace("\n", " ")
    return f"\x1b[0Ksection_start:{now:.0f}:mmos_diagnose\r\x1b[0K{title}\n{body}\n\x1b[0Ksection_end:{now:.0f}:mmos_diagnose\r\x1b[0K\n"


def code_quality(diagnosis: Diagnosis, place: Place | None) -> str:
    """A Code Quality report, which GitLab shows at the line in a merge request. Without a place it is empty."""
    if place is None:
        return "[]\n"
    known = f"{diagnosis.category}\n{place.path}\n{diagnosis.cause}"
    return (
        json.dumps(
            [
                {
                    "description": headline(diagnosis),
                    "check_name": f"mmos-diagnose/{diagnosis.category or 'unknown'}",
                    "fingerprint": hashlib.sha256(known.encode(errors="replace")).hexdigest(),
                    "severity": "major",
                    "location": {"path": place.path, "lines": {"begin": place.line}},
                }
            ],
            indent=2,
        )
        + "\n"
    )

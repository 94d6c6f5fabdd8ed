"""The tool-call reader: takes a model's text and its server's calls, and returns valid calls, the remaining text, and what is unclear."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmos.calls.checking import encode_sorted
from mmos.calls.marks import CLOSE, HINTS, OPEN, WRAPPING, thoughts
from mmos.calls.naming import Names
from mmos.calls.patience import Patience
from mmos.calls.prose import INVENTED_TURN, LEAD, MOST_FAILURES, Finder, bare, sample, stretches, ticked
from mmos.calls.resolve import Call, Notes, resolve, signature
from mmos.calls.seen import Seen
from mmos.calls.shapes import Draft, drafts
from mmos.calls.sheet import Sheet
from mmos.calls.tagged import MOST_CALLS, Body, Run
from mmos.calls.tongues import in_common_signs

_PYTHON_CALL = re.compile(r"[\w`*]\(")
"""A bracket right after a word. In prose there is a space between them."""
_SAYS = re.compile(r"[^\W_]")
_TONGUE = re.compile(r"(?:`{3,}|~{3,})[ \t]*[\w+.-]*")
LONGEST = 1_200_000
"""A longer text is not searched. No model writes so much in one reply."""
MANY = 3
"""A model that writes the same call so often in one reply repeats itself. MMOS does not run such a call."""


@dataclass(frozen=True)
class RawReply:
    """A model's reply before it is read."""

    text: str
    names: Names
    calls: Sequence[Mapping[str, Any]] = ()
    """The calls that the server found in it, each `{"name", "arguments"}`."""
    thinking: str = ""
    error: str = ""
    """The body of a server's error. It may contain the text of the model."""
    eval_count: int = 0
    done_reason: str = ""
    seen: Seen | None = None
    """What the participant has read. A call in it is a quotation."""


@dataclass(frozen=True)
class TextReading:
    """The calls and the text of a reply."""

    calls: tuple[Call, ...]
    content: str
    repairs: tuple[tuple[str, str], ...] = ()
    unclear: str = ""
    quoted: tuple[str, ...] = ()
    """The tools whose calls were quotations. They stay text."""
    bare: bool = False
    """Whether the reply is only quotations."""


def read_text(reply: RawReply, patience: Patience | None = None) -> TextReading:
    """The calls in a reply. A text without any sign of a call is passed through.

    The search for calls and the check of their arguments have a limit each, by the length of the text. With `patience` they share one limit.
    """
    text = in_common_signs(reply.text or _text_in_error(reply.error))
    notes = Notes(patience=patience or Patience(len(text)))
    sheet = Sheet(text, patience)
    calls = _server_calls(reply, notes)
    quoted: Iterable[str] = ()
    bare = False
    content = text
    promises = promising(text, reply.names)
    if promises and len(text) > LONGEST:
        notes.problems.append(f"the text is longer than {LONGEST:,} characters, so it was not searched for calls")
    elif promises:
        page = _Page(reply, sheet, notes)
        calls = calls or page.calls()
        content = page.content_without(page.tagged) if page.content is None else page.content
        quoted, bare = page.quoted, page.bare
    if not calls and not content.strip() and not notes.problems:
        notes.problems += _silent(reply)
    if notes.patience.gone or sheet.patience.gone:
        notes.problems.append("too much in the text looks like a call, so not all of it was read")
    return TextReading(tuple(calls), content, tuple(notes.repairs), "; ".join(dict.fromkeys(notes.problems)), tuple(quoted), bare)


def _text_in_error(error: str) -> str:
    """The text of the model in an error that quotes it."""
    raw, closed, _ = error.partition("raw='")[2].rpartition("', err=")
    return raw if closed else ""


def _silent(reply: RawReply) -> list[str]:
    """Why there may be neither calls nor text."""
    if OPEN.search(reply.thinking):
        return ["the call stands in the thinking, where nothing is carried out"]
    if reply.error:
        return [f"the server refused what the model wrote: {reply.error[:200]}"]
    if reply.eval_count > 1 and reply.names.specs:
        return [
            f"the model wrote {reply.eval_count} tokens, and the server handed on none of them: it swallowed a call that it could not read"
        ]
    return []


def promising(text: str, names: Names) -> bool:
    """Whether a text may hold a call, or marks of a model family, at all."""
    if "<" in text or "{" in text or "[" in text or "◁" in text or "to=" in text:
        return True
    return "(" in text and _PYTHON_CALL.search(text) is not None and names.mention.search(text) is not None


def _server_calls(reply: RawReply, notes: Notes) -> list[Call]:
    """The calls of the server. Their names and arguments may need repairs."""
    calls = []
    for row in reply.calls[:MOST_CALLS]:
        candidates = [draft for draft in drafts(row, reply.names) if draft.name or len(reply.calls) == 1] or [
            Draft(str(row.get("name") or ""), row.get("arguments"))
        ]
        calls += [call for draft in candidates if (call := resolve(draft, reply.names, notes))]
    return calls


class _Page:
    """One text and what was found in it."""

    def __init__(self, reply: RawReply, sheet: Sheet, notes: Notes) -> None:
        self._sheet = sheet
        self._text = sheet.text
        self._names = reply.names
        self._notes = notes
        self._cut = reply.done_reason == "length"
        self._seen = reply.seen
        self._quotations: list[Run] = []
        self.quoted: dict[str, None] = {}
        """The tools whose calls are quotations."""
        self.content: str | None = None
        thinking = thoughts(self._text)
        self._hidden = list(thinking.spans)
        invented = INVENTED_TURN.search(self._text, self._hidden[-1][1] if self._hidden else 0)
        is_turn = invented is not None and ("tool_" in invented[0].lower() or self._text[: invented.start()].strip())
        self._end = invented.start() if invented and is_turn else len(self._text)
        self._unended = thinking.open
        self.tagged = self._tagged() if any(hint in self._text for hint in HINTS) else []

    # ---------------------------------------------------------------- what stands where

    def _gaps(self, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        gaps, place = [], 0
        for start, end in sorted(spans):
            if start > place:
                gaps.append((place, start))
            place = max(place, end)
        return [*gaps, (place, len(self._text))] if place < len(self._text) else gaps

    def _gaps_of_reply(self, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """The gaps, up to the place where the model invents the turns of others."""
        return [(start, min(end, self._end)) for start, end in self._gaps(spans) if start < self._end]

    def _tagged(self) -> list[Run]:
        runs: list[Run] = []
        failures = 0
        for start, end in self._gaps_of_reply(self._hidden):
            body = Body(self._sheet, self._names, end)
            while (
                sum(len(run.drafts) for run in runs) < MOST_CALLS
                and len(runs) < MOST_CALLS
                and failures <= MOST_FAILURES
                and (tag := self._sheet.tag(OPEN, start, end))
                and not self._sheet.patience.gone
            ):
                run = body.run(tag.start()) if not self._quoted(tag) else Run(tag.start(), tag.end())
                failures += not run.drafts
                if run.drafts or run.problems:
                    runs.append(run)
                elif not self._text[max(tag.end(), run.reached) : end].strip() and end == len(self._text) and not self._quoted(tag):
                    run.problems.append("a call was begun, and nothing followed")
                    run.end, run.torn = end, True
                    runs.append(run)
                start = max(run.end, run.reached, tag.end())
        return runs

    def _quoted(self, tag: re.Match[str]) -> bool:
        """Whether a tag is between backticks on its line. Then the text is about the tag."""
        line = self._text[max(self._text.rfind("\n", max(0, tag.start() - LEAD), tag.start()) + 1, tag.start() - LEAD, 0) : tag.start()]
        return line.count("`") % 2 == 1 and not line.lstrip().startswith("```")

    # ---------------------------------------------------------------- which of them are calls

    def calls(self) -> list[Call]:
        found: list[tuple[int, Call]] = []
        hits: list[Run] = []
        for run in self.tagged:
            self._settle(run, found, hits)
        self._untagged(found, hits, beside=bool(hits))
        if not found and self._unended and OPEN.search(self._text, self._hidden[-1][0]):
            self._notes.problems.append("the call stands in thinking that never ended, so nothing happened")
        starts = [run.start for run in self._quotations]
        self.content = self.content_without([*hits, *(run for run in self.tagged if (run.drafts or run.torn) and run.start not in starts)])
        return self._once([call for _, call in sorted(found, key=lambda pair: pair[0])], len(hits))

    def _once(self, calls: list[Call], places: int) -> list[Call]:
        """Without repetitions, if the model writes the same calls again and again, or again in plain text."""
        if len(calls) < 2:
            return calls
        same = [(call.name, encode_sorted(call.arguments)) for call in calls]
        times = Counter(same)
        if len(times) == len(calls) or (places == 1 and len(calls) < MANY) or (places > 1 and max(times.values()) < MANY and self.tagged):
            return calls
        self._notes.repair("repetitions left out")
        return [call for place, call in enumerate(calls) if same.index(same[place]) == place]

    def _settle(self, run: Run, found: list[tuple[int, Call]], hits: list[Run], *, sure: bool = False) -> None:
        """The valid calls of a run. The problems of the others go into the notes."""
        notes = self._notes
        if self._cut and run.end >= len(self._text.rstrip()) and ("missing end" in run.repairs or run.problems):
            notes.problems.append("the call was cut off, because the reply had reached its length")
            return
        if self._is_quotation(run):
            return
        notes.problems += run.problems
        resolved = [(draft, call) for draft in run.drafts if (call := resolve(draft, self._names, notes, sure=sure))]
        calls = [call for draft, call in resolved if not self._is_quoted(draft, call)]
        if resolved and not calls:
            self._quotations.append(run)
        if calls:
            for repair in run.repairs:
                notes.repair(repair)
            if not run.tagged:
                notes.repair("a call as plain text", "extract")
            elif run.closed or run.repairs:
                notes.repair("a call in the text", "extract")
            hits.append(run)
            found += [(run.start, call) for call in calls]

    def _untagged(self, found: list[tuple[int, Call]], hits: list[Run], *, beside: bool) -> None:
        """Calls without tags; beside tagged ones only those count that lost half of theirs."""
        finder = Finder(self._sheet, self._names)
        covered = [*self._hidden, *((run.start, run.end) for run in self.tagged)]
        runs = [
            run
            for stretch in stretches(self._sheet, self._gaps_of_reply(covered))
            for run in finder.runs(stretch)
            if run.tagged or not beside
        ]
        if not runs:
            return
        explained = False
        alone = bare(self._text, runs, self._hidden)
        for run in runs:
            known = any(self._names.sure(draft.name).spec for draft in run.drafts)
            if not known and not (alone and self._called(run)):
                continue
            is_signature = all(signature(draft, self._names) for draft in run.drafts) if run.drafts else False
            explained = not alone and (ticked(self._text, run) if run.tagged else is_signature or sample(self._text, run, explained))
            if not explained and not is_signature:
                self._settle(run, found, hits, sure=not (alone or run.tagged))

    def _called(self, run: Run) -> bool:
        """Whether a run that names nothing of ours is an attempt all the same: JSON with a name and arguments, a list, a near name."""
        sign = self._text[run.start : run.end].strip("` \n\tjson")[:1]
        return bool(run.problems) or sign in ("{", "[") or any(self._names.near(draft.name).spec for draft in run.drafts)

    # ---------------------------------------------------------------- which of them are quotations

    def _is_quotation(self, run: Run) -> bool:
        """Whether the whole text of a run is in what the participant has read."""
        name = max((draft.name for draft in run.drafts), key=len, default="")
        if self._seen is None or not self._seen.holds(self._text[run.start : run.end], name):
            return False
        self._quotations.append(run)
        for draft in run.drafts:
            self._leave(spec.name if (spec := self._names.near(draft.name).spec) else draft.name)
        return True

    def _is_quoted(self, draft: Draft, call: Call) -> bool:
        """Whether the participant has read the call in another form."""
        seen = self._seen
        if seen is None:
            return False
        parameters = self._names.specs[call.name].parameters.get("properties") or ()
        forms = (call.arguments, draft.positional or draft.arguments)
        if not any(seen.quotes(call.name, form, spelling=draft.name, parameters=parameters) for form in forms):
            return False
        self._leave(call.name)
        return True

    def _leave(self, name: str) -> None:
        self.quoted[name] = None
        self._notes.repair(f"{name}: this call stands in what was given, so it is a quotation and stayed text", "extract")

    @property
    def bare(self) -> bool:
        """Whether the reply is only quotations."""
        return bool(self._quotations) and not _SAYS.search(_TONGUE.sub("", self.content_without(self._quotations)))

    # ---------------------------------------------------------------- what is left

    def content_without(self, runs: Sequence[Run]) -> str:
        """The text without thinking, calls and marks of a model family."""
        spans = sorted([*self._hidden, *((run.start, run.end) for run in runs)])
        if not spans:
            return WRAPPING.sub("", self._text) if "<" in self._text else self._text
        pieces = [self._text[start:end] for start, end in self._gaps(spans)]
        rest = "".join(pieces)
        if "<" in rest or "[" in rest:
            rest = WRAPPING.sub("", rest)
            rest = CLOSE.sub("", rest) if runs else rest
        if spans[0][0] == 0 or not self._text[: spans[0][0]].strip():
            rest = rest.lstrip()
        return rest if not runs or rest.strip("`'\"*.,;:[](){} \n\t") else ""

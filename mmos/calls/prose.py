"""Finds calls without tags in prose, and tells calls from samples and mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import takewhile

from mmos.calls.marks import CLOSE, OPEN, WRAPPING
from mmos.calls.naming import Names
from mmos.calls.shapes import ARGUMENT_KEYS, LIST_KEYS, NAME_KEYS
from mmos.calls.sheet import Sheet
from mmos.calls.tagged import MOST_CALLS, Body, Run

MOST_FAILURES = 40
"""Most places of one text that may look like a call and be none."""
LABEL = 4
"""Most words of a label before a colon: `For weather:`."""
LONGEST_LABELS = 10_000
"""Labels and tags beside calls are shorter than this."""
LEAD = 400
"""Characters before a call that are searched for words that explain it."""

FENCE = re.compile(
    r"[ \t>]*+(?P<tick>`{3,}+|~{3,}+)[ \t]*+(?P<tongue>[\w+.-]*+)[^\n`]*+\n(?P<code>.*?)(?:^[ \t>]*+(?P=tick)[`~]*+[ \t]*+$|\Z)",
    re.DOTALL | re.MULTILINE,
)
SHORT_FENCE = re.compile(r"`{3,}+(?P<tongue>json|python|tool_call|tool_code)?[ \t]*+(?P<code>[\[{\w][^`\n]*+)`{3,}+")
_TICKS = re.compile(r"`{3,}+|~{3,}+")
CALL_TONGUES = ("tool_code", "tool_call", "tool_calls", "tool", "tool_use", "function_call", "function_calls", "action")

_KEYS = "|".join(sorted({*NAME_KEYS, *ARGUMENT_KEYS, *LIST_KEYS, "type", "id"}, key=len, reverse=True))
OBJECT_START = re.compile(
    rf"[\[{{(][\s\[{{(\\\"'“”`‘’]{{0,12}}+(?:(?:{_KEYS})[\\\"'“”’`\s]*[:=])|\[\s*[\"'`]?[A-Za-z_][\w.\\]{{0,99}}\(", re.IGNORECASE
)
CALL_START = re.compile(
    r"\(|(?:\s?(?:[-=]>|:))?\s?\{|:?\n\s{0,100}+\{|[*`]{0,9}+\s{1,100}+(?<=\n)[*`]{0,9}+(?:(?:Action|Tool)[ _]Input|Arguments?|Parameters?|Args|Input)[*`]{0,9}+\s{0,9}+:"
)
_INPUT = re.compile(r"\n[*`]*+(?:Action|Tool)[ _]Input[*`]*+\s*+:[*`\s]*+\Z")
_BRACKETS = ("[", "{", "(", "['", '["', "{'", '{"', "('", '("', "[`")
_LEADS = re.compile(r"(?:[\[{(][\s\[{(]*+)?[\"'`“‘]?(?:(?<![\w.])[\w]{1,30}[./:])*+\Z")
_BEGIN = re.compile(r"[\s`*_>]*+(?:(?:\w{1,40}+ )?\w{1,40}+:\s++)?")
_ITEM = re.compile(r"[ \t]*+(?:[-*•]|\d{1,2}[.)]|>)?[ \t]*+[`*_]{0,3}\Z")
_EXPLAINS = re.compile(
    r"\bexamples?\b|\be\.g\.|\bfor instance\b|\bsuch as\b|\blike (?:this|so|these|the following)\b|\blooks? (?:\w+ )?like\b|\bcould\b|\bmight\b"
    r"|\b(?:you|one|they|users?|people|developers?)(?:'d| can| could| would| should| may| might| need| want| must| will| have| use| call| write| type)\b"
    r"|\bwould (?:\w+ )?(?:use|call|look|need|have|do|write|make|send|return|then|normally|typically|reply|respond|say|emit|print|output|contain)\b|\bhow (?:to|you|i|it|we|one|this|that)\b|\bhere(?:'|’| i)s how\b"
    r"|\bsyntax\b|\bformat\b|\busage\b|\bsamples?\b|\bsnippets?\b|\btemplates?\b|\bsignature\b|\bdemonstrat|\billustrat|\bhypothetic|\bsuppos|\bimagine\b"
    r"|\bif (?:you|the|i|we|a|it|there|that|this)\b|\bwhen(?:ever)? (?:you|a user|the user|asked|called)\b|\bdocument(?:ation|s)\b|\bscript\b|\bprogram\b"
    r"|\b(?:tool|function|it) (?:takes|accepts|expects|is called|is used|can be called|gets called)\b|\b(?:do not|don't|cannot|can't|never|not) (?:call|use|run|invoke)\b"
    r"|\bschema\b|\bpseudo|\bread(?:s|ing)? as\b|\bmean(?:s|ing)\b|\binstead of\b|\bpreviously\b|\bearlier\b|\byesterday\b|\blast time\b|\bi called\b|\bwas called\b|\bcalled it with\b",
    re.IGNORECASE,
)
_LOOKS_BACK = re.compile(
    r"\b(?:in|of) (?:this|the above|that|our) example\b|\b(?:this|the|above) (?:example|sample|snippet|syntax|format|template)\b|\bexample above\b|\breplace\b[^.\n]{0,80}\bwith\b"
    r"|\bwould (?:return|give|call|produce|result|then|fetch|be)\b|\bnot (?:be )?(?:called|executed|run)\b|\byou (?:can|could|would|should|may|might|need to|will) (?:\w+ )?(?:call|use|replace|change|adjust|run|write|copy|see|get)\b"
    r"|\bplaceholders?\b|\bfor demonstration\b|\bthis is (?:how|what|an? (?:example|sample|template))\b|\bthe (?:\w+ ){0,2}(?:field|key|argument|parameter)s? (?:is|are|says?|tells?|names?|holds?|contains?|specif)",
    re.IGNORECASE,
)
_SAMPLE = re.compile(
    r"\b(?:in|of) (?:this|the above|that|our) example\b|\b(?:this|the|above) (?:example|sample|syntax|format|template)\b|\breplace\b[^.\n]{0,80}\bwith\b"
    r"|\bthis is (?:how|what you|an? (?:example|sample|template))\b|\byou (?:can|could|would) (?:call|use) (?:it|this)\b|\bis (?:an? )?(?:example|sample)\b",
    re.IGNORECASE,
)
INVENTED_TURN = re.compile(
    r"^[ \t]*(?:#{2,} ?(?:Instructions?|Input|User|Human|Question|Task)\b|(?:User|Human|USER|HUMAN)\s*:|<\|im_start\|>\s*user|<\|start_header_id\|>\s*user|\[INST\]|Observation\s*:"
    r"|<start_of_turn>user|<[|｜]User[|｜]>)|</s>|<\|endoftext\|>|<\|?tool_(?:response|result|output)s?\|?>|\[TOOL_RESULTS\]|<start_function_response>",
    re.MULTILINE,
)
"""Where a model begins to write the turns of others. They are no part of its reply."""
_ACTION = re.compile(r"^[*`\s]*(?:Action|Tool|Function)[*`]*\s*:[*`\s]*\Z", re.IGNORECASE)
_BESIDE = re.compile(r"^[ \t]*+(?:#|//)[^\n]*+$|print\(|\b\w{1,40}\s=[ \t]*+$|[\s)\];,`]", re.MULTILINE)
"""What a fence may contain besides calls: comments, and an assignment or `print` around a call."""
_GOES_ON = re.compile(r"[ \t]*+\n?[ \t]*+(?:and|or|which|where|so that|then|as|is|in|to|with|for)\b")
_SENTENCE = re.compile(r"(?<=[.!?])\s++|\n{2,}+")
_LABEL = re.compile(
    r"[\W_]*(?:\d{1,2}[.)][\W_]*)?(?:(?:json|python|assistant|tool_call|tool_code|copy code|final answer|output|response)[\W_]*"
    r"|[\w' ]{0,40}(?:calls?|response|answer|output|action|assistant|solution|result|json|python|functions?|tools?)[ *_`]*:[\W_]*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Stretch:
    """A part of the text in which calls without tags are searched."""

    start: int
    end: int
    code: bool = False
    says_calls: bool = False
    """Whether the language of the fence says that it contains calls."""
    outer: tuple[int, int] = (0, 0)


def stretches(sheet: Sheet, gaps: Sequence[tuple[int, int]]) -> Iterator[Stretch]:
    """Fenced code and the text between, in the gaps that other readers left."""
    for start, end in gaps:
        place = start
        for fence in _fences(sheet, start, end):
            yield Stretch(place, fence.start())
            tongue = (fence["tongue"] or "").lower()
            yield Stretch(fence.start("code"), fence.end("code"), True, tongue in CALL_TONGUES, fence.span())
            place = fence.end()
        yield Stretch(place, end)


def _fences(sheet: Sheet, start: int, end: int) -> Iterator[re.Match[str]]:
    text, place = sheet.text, start
    while (ticks := _TICKS.search(text, place, end)) and sheet.patience.lasts():
        at = ticks.start()
        line = max(text.rfind("\n", max(start, at - LEAD), at) + 1, start, at - LEAD)
        found = FENCE.match(text, line, end) if not text[line:at].strip(" \t>") else None
        found = found or SHORT_FENCE.match(text, at, end)
        if found is None:
            place = ticks.end()
            continue
        if not _INPUT.search(text, max(start, at - LEAD), at):  # after `Action Input:` it contains arguments
            yield found
        place = max(found.end(), at + 3)


class Finder:
    """Finds runs of calls in stretches without tags."""

    def __init__(self, sheet: Sheet, names: Names) -> None:
        self._sheet = sheet
        self._text = sheet.text
        self._names = names
        self._failures = 0

    def runs(self, stretch: Stretch) -> list[Run]:
        """Every run that names an offered tool. In code, only if the code contains nothing else."""
        if stretch.end - stretch.start < len("f()"):
            return []
        runs: list[Run] = []
        place, calls = stretch.start, 0
        body = Body(self._sheet, self._names, stretch.end)
        for at in self._places(stretch):
            if self._failures > MOST_FAILURES or calls > MOST_CALLS or not self._sheet.patience.lasts():
                break
            if at < place:
                continue
            run = body.plain(at)
            if run.end > at and (run.drafts or run.problems):
                runs.append(run)
                place = run.end
                calls += len(run.drafts)
            else:
                self._failures += 1
        if stretch.code:
            return self._whole(runs, stretch)
        return runs

    def _places(self, stretch: Stretch) -> Iterator[int]:
        first = _BEGIN.match(self._text, stretch.start, stretch.end)
        begin = first.end() if first else stretch.start
        if begin < stretch.end:
            yield begin
        mentions = self._names.mention.finditer(self._text, stretch.start, stretch.end)
        mentions_start = (self._call_start(match) for match in takewhile(lambda _: self._sheet.patience.lasts(), mentions))
        objects = (match.start() for match in OBJECT_START.finditer(self._text, stretch.start, stretch.end))
        yield from merge(objects, (max(place, stretch.start) for place in mentions_start if place >= 0))

    def _call_start(self, name: re.Match[str]) -> int:
        """The start of the call that a name may belong to. -1: the name is in prose."""
        before = self._text[max(0, name.start() - 60) : name.start()]
        if before.endswith("<") and self._text[name.end() : name.end() + 1] == ">":
            return name.start() - 1
        if not CALL_START.match(self._text, name.end()) and not (
            before.endswith(_BRACKETS) and not self._text[name.end() : name.end() + 1].isalnum()
        ):
            return -1
        lead = _LEADS.search(before)
        return name.start() - (len(lead[0]) if lead else 0)

    def _whole(self, runs: list[Run], stretch: Stretch) -> list[Run]:
        """The runs of a fence, if it contains nothing else."""
        if not runs:
            return []
        rest = "".join(
            self._text[a:b]
            for a, b in zip((stretch.start, *(run.end for run in runs)), (*(run.start for run in runs), stretch.end), strict=True)
        )
        rest = _BESIDE.sub("", rest)
        is_calls = stretch.says_calls or all(any(self._names.near(draft.name).spec for draft in run.drafts) or run.problems for run in runs)
        if (rest and rest not in ("json", "python")) or not is_calls:
            return []
        runs[0].start, runs[-1].end = stretch.outer
        for run in runs:
            run.tagged = run.tagged or stretch.says_calls
        return runs


def bare(text: str, runs: Sequence[Run], spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the text contains only calls, labels and signs."""
    covered_spans = sorted([*((run.start, run.end) for run in runs), *spans])
    place = 0
    for start, end in covered_spans:
        if not _nothing(text[place:start]):
            return False
        place = max(place, end)
    return _nothing(text[place:])


def _nothing(rest: str) -> bool:
    if not rest.strip():
        return True
    if len(rest) > LONGEST_LABELS:
        return False
    rest = CLOSE.sub("", OPEN.sub("", WRAPPING.sub("", rest))) if "<" in rest or "[" in rest else rest
    return len(rest) < 100 and all(_LABEL.fullmatch(line) and not line.lstrip().startswith(">") for line in rest.split("\n"))


def ticked(text: str, run: Run) -> bool:
    """Whether a run is between backticks on its line. Then the text is about the call."""
    before = text[max(0, run.start - LEAD) : run.start]
    line = before[before.rfind("\n") + 1 :]
    return line.count("`") % 2 == 1 and (not _begins_line(line) or bool(text[run.end : run.end + LEAD].split("\n")[0].strip("`*., ")))


def _begins_line(line: str) -> bool:
    return _ITEM.fullmatch(WRAPPING.sub("", CLOSE.sub("", line))) is not None


def sample(text: str, run: Run, explained: bool) -> bool:
    """Whether a run is a sample: the words around it explain it, or it is in the middle of a sentence. After a sample, a label starts the next one."""
    before = text[max(0, run.start - LEAD) : run.start]
    after = text[run.end : run.end + LEAD]
    line = before[before.rfind("\n") + 1 :]
    block = _begins_line(line)
    if ticked(text, run):
        return True
    if not block and text[run.start] not in "{[" and not _ACTION.search(line):
        return True
    if _GOES_ON.match(after) or (not block and re.match(r"[ \t]*[,;]?[ \t]*[a-z]", after)):
        return True  # the sentence goes on after it
    if line.lstrip().startswith((">", "|")):
        return True
    if not text[: run.start].strip("`*_ \n\t"):
        return bool(_SAMPLE.search(_first_sentence(after)))  # a call at the start of a reply is a call
    lead = _last_sentence(before)
    if lead.endswith(":") and len(lead.split()) <= LABEL:
        if explained:
            return True
        lead = before
    return bool(_EXPLAINS.search(lead) or _LOOKS_BACK.search(_first_sentence(after)))


def _last_sentence(before: str) -> str:
    parts = [part.strip() for part in _SENTENCE.split(WRAPPING.sub("", before).rstrip("`*_ \n\t[(")) if part and part.strip()]
    return parts[-1] if parts else ""


def _first_sentence(after: str) -> str:
    parts = [part for part in _SENTENCE.split(after.replace("`", "").replace("*", "").strip("`*_ \n\t.])")) if part and part.strip()]
    return parts[0] if parts else ""

"""Turns the events of a run into lines: of progress, of a record with times, or of notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from mmos import events
from mmos.answers import at_time
from mmos.choice_events import RuleMet, TaskRouted
from mmos.cli import parts, pattern_words, sources
from mmos.cli.output import how_long, one_line
from mmos.cli.placement import reason
from mmos.cli.talks import SAYING, recorded, watched
from mmos.cli.text import flat
from mmos.cli.verdicts import record, seen
from mmos.events import Entry
from mmos.library_events import PassagesFound, PassagesLeftOut
from mmos.pattern_events import PatternAdvised, PatternAnswered, PatternBegun
from mmos.plurals import counted
from mmos.quality_events import AnswerRevised
from mmos.recovery_events import AnswerRestated, RecoveryBegun, RecoveryJudged, RecoverySuggested, ResultsShortened, RolledBack
from mmos.talk_events import TalkOpened, TaskHandedOver
from mmos.views.routes import candidates, in_words
from mmos.views.rules import in_words as met_in_words
from mmos.views.window import OF_WINDOWS, window_note
from mmos.window_events import HistorySummarised, MessagesShortened

WIDTH = 110
WHY = 400
"""Characters of the reasons of a choice: they are words of MMOS, and whoever looks at a choice wants them whole."""
DEEPEST = 20
"""Most levels of indentation."""


def progress(event: events.Event) -> str:
    """What an event says to somebody who watches the run. Empty for most events."""
    match event:
        case events.CallStarted(tool=tool, lane=lane) | events.CallFinished(tool=tool, lane=lane, ok=True) if (
            tool in SAYING and "/" in lane
        ):
            return ""
        case events.CallStarted(tool=tool, arguments=arguments, role=role):
            return f"{role} → {tool}: {one_line(what_of(arguments), 90)}"
        case events.CallFinished(tool=tool, ok=True, seconds=seconds):
            return f"  ✓ {tool} · {how_long(seconds)}"
        case events.CallFinished(tool=tool, message=message):
            return f"  ✗ {tool}: {one_line(what_came(message.content), 120)}"
        case TaskRouted(acted=True):
            return f"route: {one_line(in_words(event), 120)}"
        case TaskHandedOver():
            return handed(event, 120)
        case RuleMet(acted=True):
            return one_line(met_in_words(event), 160)
        case events.PhaseChanged(phase=phase, reason=why):
            return f"phase: {phase}" + (f" · {one_line(why, 90)}" if why else "")
        case events.ModelReplied(role=role, model=model, lane=lane, cached=True) if "/" in lane:
            return f"  {role} ({model}): from the cache"
        case events.ModelReplied(role=role, model=model, host=host, usage=usage, lane=lane) if "/" in lane:
            return f"  {role} ({model} on {host}): {counted(usage.output_tokens, 'token')}"
        case events.ModelFailed(lane=lane) if "/" not in lane:
            return ""  # a hint has said it
    if isinstance(event, OF_WINDOWS):
        return ""  # the run says it at its end
    if told := seen(event) or parts.seen(event) or pattern_words.seen(event) or watched(event) or sources.seen(event):
        return told
    noted = note(event)
    return f"  ! {one_line(noted, 160)}" if noted else ""


def note(event: events.Event) -> str:
    """What the user should know of an event, because something did not go well. Empty if all is well."""
    match event:
        case events.ModelFailed(role=role, host=host, detail=detail, code=code) if code != "cancelled":
            return f"{role} on {host}: {detail}" if host else f"{role}: {detail}"
        case events.LoopNoticed(role=role, tool=tool, times=times, measure=measure):
            return f"{role} calls {tool} again, {counted(times, 'time')} by now: {measure}"
        case events.Warned(text=text):
            return text
        case RecoverySuggested(suggestion=suggestion, arguments=arguments):
            return f"{event.adviser or 'a rule'} suggests {suggestion} for {event.role} ({what_of(arguments)})"
        case AnswerRevised(step=step):
            return f"the first answer did not pass its validation; {step} takes its place"
        case RecoveryJudged(helped=False, why=why):
            return f"that did not help{f': {why}' if why else ''}"
    return window_note(event)


def handed(event: TaskHandedOver, width: int) -> str:
    """Who has the task now, and why."""
    what = f"hands the task back to {event.to}" if event.back else f"hands the task over to {event.to}"
    return one_line(f"{event.by} {what}: {event.brief}", width)


def what_came(result: str) -> str:
    """Describe the result of a tool. Of a specialist's document, take the response."""
    if not result.startswith("{"):
        return result
    try:
        document = orjson.loads(result)
    except orjson.JSONDecodeError:
        return result
    response = document.get("response")
    return response if isinstance(response, str) else result


def what_of(arguments: Mapping[str, Any]) -> str:
    """Describe a call by its query, its topic or its arguments."""
    query = arguments.get("query") or arguments.get("question") or arguments.get("topic")
    return str(query) if query else ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Write one line per event, indented by depth, with the seconds since the start of the run."""
    for _, told in each_told(entries):
        yield from told


def each_told(entries: Iterable[Entry]) -> Iterator[tuple[Entry, list[str]]]:
    """Each entry with its lines. Some have none."""
    start = 0.0
    depths: dict[str, int] = {}
    for entry in entries:
        start = start or entry.time
        event = entry.event
        if isinstance(event, events.LaneOpened):
            depths[event.lane] = event.depth
        if isinstance(event, TalkOpened):
            depths[event.talk] = depths.get(event.lane, 0) + 1
        if isinstance(event, PatternBegun):
            depths[event.pattern] = depths.get(event.lane, 0) + 1
        text, told = _text(event), []
        indent = "  " * min(depths.get(_place(event), 0), DEEPEST)
        if text:
            told.append(f"{entry.time - start:8.3f}  {indent}{flat(text)}")
        if isinstance(event, events.ModelReplied) and (why := reason(event)):
            told.append(f"{'':8}  {indent}  {'kept' if event.cached else f'ran on {flat(event.host)}'}: {why}")
        for line in (*recorded(event), *pattern_words.details(event), *sources.details(event)):
            told.append(f"{'':8}  {indent}  {line}" if told else f"{entry.time - start:8.3f}  {indent}{line}")
        if isinstance(event, TaskRouted):
            told += [f"{'':8}  {one_line(line, WHY)}" for line in candidates(event)]
        yield entry, told


def _place(event: events.Event) -> str:
    """The talk, the pattern or the lane that an event is of."""
    if isinstance(event, PatternBegun | PatternAnswered | PatternAdvised):
        return event.lane
    if isinstance(event, PassagesFound):
        return event.place
    return next(filter(None, (getattr(event, name, "") for name in ("talk", "pattern", "lane"))), "")


def _text(event: events.Event) -> str:
    match event:
        case events.RunStarted(task=task):
            return f"asked: {one_line(task, WIDTH)}"
        case events.RunResumed(as_it_was=as_it_was):
            return "resumed as it was" if as_it_was else "resumed"
        case events.Forked(origin=origin, turn=turn) if origin:
            return f"forked from {origin}: turn {turn} again"
        case events.LaneOpened(role=role, parent=parent, message=message) if parent:
            return f"{role} gets: {one_line(message.content, WIDTH)}"
        case events.ModelAsked(role=role, model=model, estimate=estimate, channel=channel):
            return f"{role} asks {model} (about {counted(estimate, 'token')}, {channel})"
        case events.ModelReplied():
            return _reply(event)
        case events.ModelFailed(role=role, host=host, code=code, detail=detail):
            return f"{role}: {host or 'call'} failed: {code}: {one_line(detail, WIDTH)}"
        case events.CallStarted(role=role, tool=tool, arguments=arguments):
            return f"{role} calls {tool} {one_line(orjson.dumps(arguments).decode(), WIDTH)}"
        case events.CallFinished(tool=tool, ok=ok, message=message, seconds=seconds):
            return f"{tool} {'gave' if ok else 'failed'} after {how_long(seconds)}: {one_line(what_came(message.content), WIDTH)}"
        case events.RunFinished(status=status, reason=reason):
            return f"{status}" + (f": {reason.code}" if reason else "")
    return _rarer(event)


def _rarer(event: events.Event) -> str:
    match event:
        case events.Prompted(role=role, message=message):
            return f"{role} is corrected: {one_line(message.content, WIDTH)}"
        case events.StepFinished(key=key) if key in SAYING:
            return ""  # the call and the message tell it
        case events.StepFinished(key=key, value=value):
            return f"step {key} gave {one_line(orjson.dumps(value).decode(), WIDTH)}"
        case events.CallRepaired(stage=stage, what=what):
            return f"repair ({stage}): {one_line(what, WIDTH)}"
        case events.LoopNoticed():
            return f"loop: {note(event)}"
        case events.ArtifactKept(artifact=artifact, role=role, text=text):
            return f"kept artifact:{artifact} of {role}, {counted(len(text), 'character')}"
        case events.CancelRequested(by=by):
            return f"{one_line(by, WIDTH)} asked to cancel the run"
        case events.PhaseChanged(phase=phase, before=before, by=by, reason=why):
            return f"phase: {phase}" + (f" after {before}, by {by}" if before else "") + (f": {one_line(why, WIDTH)}" if why else "")
        case TaskRouted():
            return f"route: {one_line(in_words(event), WHY)}"
        case TaskHandedOver():
            return handed(event, WIDTH)
        case RuleMet():
            return one_line(met_in_words(event), WHY)
        case events.RunRated(good=good, note=text):
            return f"rated {'good' if good else 'bad'}{f': {one_line(text, WIDTH)}' if text else ''}"
        case events.QuestionAsked(role=role, question=question, text=text, deadline=deadline):
            until = "" if deadline is None else f", until {at_time(deadline)}"
            return f"{role} asks the user ({question}{until}): {one_line(text, WIDTH)}"
        case events.QuestionAnswered(question=question, text=text, by="deadline"):
            return f"{question} was not answered in time: {one_line(text, WIDTH) or 'it has no default'}"
        case events.QuestionAnswered(question=question, text=text, by=by, who=who):
            return f"{question} answered by {who or by}: {one_line(text, WIDTH)}"
        case events.HistoryShortened(kept=kept):
            return f"{note(event)}; {kept} kept"
        case events.Warned():
            return f"warning: {one_line(note(event), WIDTH)}"
        case events.Unknown(name=name):
            return f"{name} (of a newer mmos)"
    return _of_recovery(event)


def _of_recovery(event: events.Event) -> str:
    match event:
        case RecoveryBegun(role=role, tool=tool, failure=failure, code=code, detail=detail):
            return f"recovery of {f'{tool} by {role}' if tool else role}: {failure} ({code}): {one_line(detail, WIDTH)}"
        case RecoverySuggested():
            return one_line(note(event), WIDTH)
        case RecoveryJudged(helped=helped):
            return "the recovery helped" if helped else f"the recovery failed: {one_line(note(event), WIDTH)}"
        case RolledBack(role=role, turn=turn, undone=undone):
            return (
                f"{role} is as before the recovery"
                if undone
                else f"{role} takes turn {turn}{f': {one_line(event.advice, WIDTH)}' if event.advice else ''}"
            )
        case MessagesShortened() | HistorySummarised() | PassagesLeftOut():
            return one_line(note(event), WHY)
        case ResultsShortened(role=role, results=results):
            return f"{role} gets {counted(len(results), 'long result')} as a digest"
        case AnswerRestated(message=message):
            return f"the answer in another form: {one_line(message.content, WIDTH)}"
    return record(event) or parts.record(event) or pattern_words.record(event) or sources.record(event)


def _reply(event: events.ModelReplied) -> str:
    content = ", ".join(call.name for call in event.message.calls) or one_line(event.message.content, WIDTH)
    usage = event.usage
    if event.cached:
        return f"{event.role} (from the cache): {content}"
    return f"{event.role} ({event.host}, {usage.prompt_tokens}+{usage.output_tokens} tokens, {how_long(event.seconds)}): {content}"

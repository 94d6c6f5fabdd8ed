"""Says which questions of a run still need an answer of the user."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from mmos.events import LaneOpened
from mmos.question_events import QuestionAnswered, QuestionAsked


def open_ones(
    questions: Mapping[str, QuestionAsked],
    answers: Mapping[str, QuestionAnswered],
    finished: Container[str],
    lanes: Mapping[str, Sequence[LaneOpened]],
) -> list[QuestionAsked]:
    """The questions whose answer the run still needs, oldest first. `finished`: the calls that have a result. `lanes`: by the call that opened them."""
    opened = {lane.lane: lane for by_call in lanes.values() for lane in by_call}
    newest = newest_approvals(questions)
    return [one for one in questions.values() if not (_has_answer(one, answers) or _is_settled(one, newest, finished, opened))]


def newest_approvals(questions: Mapping[str, QuestionAsked]) -> dict[str, QuestionAsked]:
    """For each call that needs approval, the newest question about it."""
    return {question.call: question for question in questions.values() if question.digest}


def _has_answer(question: QuestionAsked, answers: Mapping[str, QuestionAnswered]) -> bool:
    """Whether it has an answer that counts. An imported one does not, except that help for a model has done its work."""
    answer = answers.get(question.question)
    return answer is not None and (not answer.imported or question.call.startswith(f"{question.lane}#"))


def _is_settled(
    question: QuestionAsked, newest: Mapping[str, QuestionAsked], finished: Container[str], lanes: Mapping[str, LaneOpened]
) -> bool:
    """Whether its answer changes nothing: the call that asked it, or a call above that one, has a result, or the same call was asked about anew. A request for approval that was imported is made anew."""
    if question.digest and (question.imported or newest[question.call] != question):
        return True
    call, lane, seen = question.call, question.lane, set[str]()
    while call not in finished:
        if lane in seen or lane not in lanes:  # the journal of a stranger may contain a circle
            return False
        seen.add(lane)
        call, lane = lanes[lane].call, lanes[lane].parent
    return True

"""Estimates how hard a task is, from 1 to 10, by its class, its size, its demands and its words."""

from __future__ import annotations

import re
from math import log2

from mmos.choice.lexicon import stem, stems_of
from mmos.choice.request import ENDS, Request
from mmos.plurals import counted

BASE = {
    "simple_query": 1.0,
    "documentation": 2.5,
    "code_analysis": 3.0,
    "code_generation": 3.0,
    "bug_fixing": 3.5,
    "refactoring": 3.5,
    "security_review": 4.5,
}
UNKNOWN = 3.0
LOWEST, HIGHEST = 1, 10

_HARD = stems_of(
    "distributed concurrent concurrency concurrently race deadlock architecture migrate migration consensus replication transaction "
    "transactional encrypt encryption cryptography protocol compiler parser interpreter scheduler optimizer kernel realtime multi-tenant "
    "scalable scale cluster sharding raft idempotent backward-compatible compatibility asynchronous async lock-free thread-safe latency "
    "throughput microservice monolith rollback zero-downtime end-to-end cross-platform whole entire legacy intermittent randomly sporadic "
    "flaky leak reentrancy cycle threat attacker pipeline orchestrate several multiple graph"
)
_EASY = stems_of("typo rename simple small tiny trivial hello one-liner basic short single easy spelling wording link readme comment minor")
_DEMAND = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+\S", re.MULTILINE)
_MUST = re.compile(
    r"\b(?:must|should|shall|needs? to|has to|have to|required|without|support(?:s|ing)?|including|as well as|take care|at least|at most"
    r"|and then|keep)\b",
    re.IGNORECASE,
)


def complexity_of(base: float, request: Request) -> tuple[int, str]:
    """The estimate, and what it comes from. `base` is how hard a usual task of the class is."""
    stems = {stem(word) for word in request.words}
    hard = sorted({word.lower() for word in request.words if stem(word) in _HARD})
    easy = sorted({word.lower() for word in request.words if stem(word) in _EASY})
    demands = len(_DEMAND.findall(request.prose)) + len(_MUST.findall(request.prose))
    lines = request.lines
    score = base + min(2.0, max(0.0, log2(max(1, len(stems)) / 10)))
    score += min(1.5, lines / 30) + min(2.5, demands * 0.6)
    score += min(3.0, len(hard) * 1.0) - min(1.5, len(easy) * 0.75)
    parts = [counted(sum(word not in ENDS for word in request.words), "word")]
    parts += [counted(lines, "line of code", "lines of code")] if lines else []
    parts += [counted(demands, "demand")] if demands else []
    parts += [f"'{word}'" for word in (*hard[:4], *easy[:2])]
    return max(LOWEST, min(HIGHEST, round(score))), ", ".join(parts)

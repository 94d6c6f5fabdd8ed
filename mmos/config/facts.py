"""Lists the facts that a routing rule may use, with their kinds and ranges, and the classes of tasks."""

from __future__ import annotations

FACTS: dict[str, str] = {
    "task.type": "text",
    "task.complexity": "number",
    "task.requires_speed": "flag",
    "task.context_tokens": "number",
    "task.languages": "list",
    "task.needs_tools": "flag",
    "task.needs_vision": "flag",
    "task.text": "text",
    "task.needs": "list",
    "task.text_length": "number",
    "task.confidence": "number",
    "response.unclear_tool_calls": "flag",
    "response.empty": "flag",
    "response.refused": "flag",
    "response.confidence": "number",
    "response.quality": "number",
    "response.failed": "flag",
    "host.name": "text",
    "host.kind": "text",
    "host.reachable": "flag",
    "host.busy": "flag",
    "host.queue": "number",
    "host.vram_gb": "number",
    "host.vram_used": "number",
    "host.models": "list",
    "host.loaded": "list",
    "run.turns": "number",
    "run.calls": "number",
    "run.failures": "number",
    "run.seconds": "number",
    "run.phase": "text",
}
"""Every fact that a rule may name, with the kind of its value."""

RANGES: dict[str, tuple[float, float]] = {
    "task.complexity": (1, 10),
    "task.confidence": (0, 1),
    "response.confidence": (0, 1),
    "response.quality": (0, 1),
}
"""The smallest and the largest value of facts that have both. All other numbers are counts or amounts."""

COUNT = (0, float("inf"))

STATED = "response.confidence"
"""The only fact that a model itself must state. Without that, no run knows it."""

TASK_CLASSES = ("code_generation", "bug_fixing", "refactoring", "documentation", "code_analysis", "simple_query", "security_review")
"""The values of `task.type`."""

ALIASES = {"analysis": "code_analysis", "debugging": "bug_fixing"}
"""Other words for classes of tasks."""


def task_class(word: str) -> str:
    """The usual spelling of a class. A rule may write it in either case."""
    return ALIASES.get(word.lower(), word.lower())

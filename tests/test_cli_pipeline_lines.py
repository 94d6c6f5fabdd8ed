"""The lines of a pipeline that announces its steps."""

from __future__ import annotations

from mmos.cli.pipeline_lines import PipelineLines
from mmos.config.load import from_text
from mmos.event import Event
from mmos.events import LaneOpened
from mmos.messages import Message
from mmos.pattern_events import PatternBegun

TEXT = """\
orchestration:
  arbiter: {model: m}
  patterns:
    told: {pattern: sequential, announce: true, models: [a, {model: b, name: "The B"}, a]}
    quiet: {pattern: sequential, models: [a]}
"""


def lines(*events: Event) -> list[str]:
    written: list[str] = []
    pipeline = PipelineLines.of(from_text(TEXT, "", {}), written.append)
    for event in events:
        pipeline.on_event(event)
    return written


def begun(name: str, *members: str, shape: str = "sequential", ad_hoc: bool = False) -> PatternBegun:
    return PatternBegun("model/pattern", "model", name=name, shape=shape, members=members, ad_hoc=ad_hoc)


def opened(lane: str) -> LaneOpened:
    return LaneOpened(lane, "a", Message("user", "x"))


STEPS = [opened("model/pattern/1-a"), opened("model/pattern/2-The-B"), opened("model/pattern/3-a-2")]
SAID = [f"[INFO] Pipeline Step {number}/3: Using model '{name}'..." for number, name in ((1, "a"), (2, "The B"), (3, "a"))]


def test_each_step_has_a_line_with_the_name_that_the_file_gives_it():
    assert lines(begun("told", "a", "The-B", "a-2"), *STEPS) == SAID
    assert lines(begun("told", "a", "The-B", "a-2", ad_hoc=True), *STEPS) == SAID


def test_nothing_else_has_one():
    assert lines(begun("quiet", "a"), *STEPS) == []
    assert lines(begun("told", "a", "The-B", "a-2", shape="ensemble"), *STEPS) == []
    assert lines(begun("told", "x"), *STEPS) == []
    others = [opened("model"), opened("model/pattern/judge"), opened("model/pattern/9-a"), opened("other/pattern/1-a")]
    assert lines(begun("told", "a", "The-B", "a-2"), *others) == []

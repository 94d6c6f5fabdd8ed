"""Stories of answers that a scripted judge reads: what it may say, what is believed, and what becomes of the answer."""

from __future__ import annotations

from mmos.app import RunOptions
from mmos.quality_events import AnswerJudged, JudgeTried
from mmos.testing import facts, stage
from tests.judging import bad, on_canaries, opinion, steps

VALIDATE = RunOptions(validate=True)
SIX = "Seven times six is forty-eight."
RIGHT = "Seven times six is forty-two."


async def test_an_answer_passes() -> None:
    roles = {"arbiter": [RIGHT], "critic": [*on_canaries(True, True), opinion(RIGHT)]}
    async with stage(roles) as on:
        answer = await on.app.run("What is 7 * 6?", options=VALIDATE)
        quality = answer.document()["quality"]
        assert (answer.text, answer.status, quality["verdict"], quality["score"]) == (RIGHT, "answered", "pass", 1.0)
        assert quality["confidence"] == 0.857
        assert quality["judges"] == ["critic"]
        assert quality["why"][0] == "critic was right about 2 of 2 known answers"
        assert answer.usage["model_calls"] == 4
        assert [one.right for one in await facts(on.app, answer.run, JudgeTried)] == [True, True]
        assert answer.document()["warnings"] == []

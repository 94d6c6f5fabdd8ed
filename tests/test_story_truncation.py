"""Stories of hosts that cut a prompt in silence: MMOS notices it by the count, asks again with less, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmos.events import ModelAsked, ModelLearned, Warned
from mmos.testing import Model, facts, stage

LONG = "So it goes with the tides and the winds. " * 25
SMALL: dict[str, Any] = {"arbiter": {"context_window": 4096, "keep_alive": "5m"}}


def model() -> Model:
    return Model.scripted("arbiter", [LONG], repeat=True)


async def test_a_host_that_cuts_in_silence_is_noticed_and_its_real_window_is_known_from_then_on() -> None:
    async with stage({"arbiter": model(), "analysis": Model.scripted("analysis", ["Tides."], repeat=True)}, orchestration=SMALL) as on:
        for number in range(7):
            assert (await on.app.run(f"And tide {number}?", thread="t")).status == "answered"
        on.host.faults.add("truncate", factor=2.5, model="arbiter")
        answer = await on.app.run("And now?", thread="t")
        assert answer.status == "answered", answer.reason
        assert any("it cut the prompt" in text and "asked again" in text for text in answer.document()["warnings"])
        first, second = [event for event in await facts(on.app, answer.run, ModelAsked) if event.role == "arbiter"]
        assert second.estimate < first.estimate
        (learned,) = [event for event in await facts(on.app, answer.run, ModelLearned) if event.window]
        assert second.estimate <= learned.window < learned.asked_window == 4096
        later = await on.app.run("And then?", thread="t")
        assert not any("cut the prompt" in event.text for event in await facts(on.app, later.run, Warned))


async def test_a_host_that_reads_all_is_not_suspected() -> None:
    async with stage({"arbiter": model()}, orchestration=SMALL) as on:
        for number in range(12):
            answer = await on.app.run(f"And tide {number}?", thread="t")
            assert not any("cut the prompt" in event.text for event in await facts(on.app, answer.run, Warned))


async def test_a_table_after_prose_is_not_suspected_though_it_has_far_fewer_tokens_than_estimated(tmp_path: Path) -> None:
    table = "\n".join(f"{number},{number * 7919},{number * 31}" for number in range(400))
    async with stage({"arbiter": model()}, state=tmp_path, orchestration=SMALL) as on:
        for number in range(3):
            await on.app.run(f"And tide {number}?", thread="t")
    async with stage({"arbiter": model()}, state=tmp_path, orchestration=SMALL) as on:  # another process
        answer = await on.app.run(f"What is in it?\n{table}")
        first = (await facts(on.app, answer.run, ModelAsked))[0]
        assert first.estimate > 2000
        assert not answer.document()["warnings"]
        assert not [event for event in await facts(on.app, answer.run, ModelLearned) if event.window]


async def test_a_new_host_that_cuts_every_part_of_a_long_text_is_noticed() -> None:
    text = "\n\n".join(f"{'It rains. ' * (20 + number % 50)}So it was on day {number}." for number in range(120))
    async with stage({"arbiter": Model.scripted("arbiter", ["NOTHING"], repeat=True)}, orchestration=SMALL) as on:
        on.host.faults.add("truncate", factor=2.5, model="arbiter")
        answer = await on.app.run(f"Where does it rain?\n\n{text}")
        assert [text for text in answer.document()["warnings"] if "so it cuts them" in text]

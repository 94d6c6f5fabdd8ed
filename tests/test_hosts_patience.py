"""The watchdog of a call."""

from __future__ import annotations

import asyncio

import pytest

from mmos.hosts.face import Timeouts
from mmos.hosts.patience import SIGNS_OF_LIFE, Patience
from tests.leaping import leaping, now

SOON = 0.05
LATER = 30.0
SIGNS_LAST = 0.4


async def _wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def _work(patience: Patience, *, heard: bool) -> None:
    with patience:
        if heard:
            patience.progress()
        await _wait_for_ever()


@pytest.mark.parametrize(
    ("timeouts", "cold", "heard", "stage"),
    [
        (Timeouts(first_byte=SOON), False, False, "first_byte"),
        (Timeouts(first_byte=SOON / 2, load=SOON / 2), True, False, "first_byte"),
        (Timeouts(first_byte=LATER, between_chunks=SOON), False, True, "between_chunks"),
        (Timeouts(first_byte=LATER, total=SOON), False, False, "total"),
        (Timeouts(first_byte=LATER, between_chunks=LATER, total=SOON), False, True, "total"),
    ],
)
@leaping
async def test_each_stage_has_its_end(timeouts: Timeouts, cold: bool, heard: bool, stage: str) -> None:
    patience = Patience(timeouts, cold=cold)
    with pytest.raises(TimeoutError):
        await _work(patience, heard=heard)
    assert patience.expired == stage
    assert now() == pytest.approx(SOON)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@leaping
async def test_the_load_of_a_cold_model_is_waited_for() -> None:
    patience = Patience(Timeouts(first_byte=0.01, load=LATER), cold=True)
    with patience:
        await asyncio.sleep(SOON)
    assert patience.expired == ""


@leaping
async def test_progress_puts_the_end_off() -> None:
    with Patience(Timeouts(first_byte=LATER, between_chunks=SOON)) as patience:
        for _ in range(8):
            patience.progress()
            await asyncio.sleep(SOON / 4)
    assert patience.expired == ""
    assert now() == pytest.approx(2 * SOON)


@leaping
async def test_silence_after_a_late_first_byte_is_noticed_in_time() -> None:
    patience = Patience(Timeouts(first_byte=LATER, between_chunks=SOON))
    with pytest.raises(TimeoutError), patience:  # noqa: PT012  # the block is what is timed
        await asyncio.sleep(2.5 * SOON)
        patience.progress()
        await _wait_for_ever()
    assert patience.expired == "between_chunks"
    assert now() == pytest.approx(3.5 * SOON)


@leaping
async def test_a_cancellation_from_outside_stays_one() -> None:
    inside = asyncio.Event()

    async def work() -> None:
        with Patience(Timeouts()):
            inside.set()
            await _wait_for_ever()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@leaping
async def test_a_cancellation_that_comes_with_the_end_has_the_right_of_way() -> None:
    async def work() -> None:
        with Patience(Timeouts(first_byte=SOON)):
            try:
                await _wait_for_ever()
            except asyncio.CancelledError:
                task.cancel()  # as if somebody had given up at the same moment
                raise

    task = asyncio.create_task(work())
    with pytest.raises(asyncio.CancelledError):
        await task


@leaping
async def test_a_fault_inside_goes_through() -> None:
    with pytest.raises(ValueError, match="mine"), Patience(Timeouts()):
        raise ValueError("mine")


@leaping
async def test_no_timer_is_left_behind() -> None:
    with Patience(Timeouts(first_byte=SOON)):
        await asyncio.sleep(0)
    await asyncio.sleep(2 * SOON)  # a timer that still ran would cancel this


async def _signs_of_life(patience: Patience) -> None:
    with patience:
        while True:
            patience.alive()
            await asyncio.sleep(0.002)


@leaping
async def test_signs_of_life_put_the_first_byte_off_but_not_for_ever() -> None:
    """Comments of a proxy keep the line open while a prompt is read; one that goes on with them is no host that answers."""
    patience = Patience(Timeouts(first_byte=SIGNS_LAST / SIGNS_OF_LIFE))
    with pytest.raises(TimeoutError):
        await _signs_of_life(patience)
    assert patience.expired == "first_byte"
    assert now() == pytest.approx(SIGNS_LAST, abs=0.003)

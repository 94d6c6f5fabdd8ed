"""The sentences about prompts that became shorter."""

from __future__ import annotations

import pytest

from mmos.events import Event, HistoryShortened, Warned
from mmos.views.window import window_note
from mmos.window_events import HistorySummarised, MessagesShortened

SIZES = {"before": 3900, "after": 1200}


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (HistoryShortened("a", "arbiter", 4, 2), "arbiter: the 4 oldest exchanges no longer fit into its window and were left out of the prompt"),
        (
            MessagesShortened("a", "arbiter", "reasoning", {"2": ""}, **SIZES),
            "arbiter: the reasoning in 1 answer is left out of the prompt, which did not fit its window: 3,900 to 1,200 tokens",
        ),
        (
            MessagesShortened("a", "arbiter", "results", {"2": ""}, {"1": ""}, **SIZES),
            "arbiter: 2 long results became references in the prompt, which did not fit its window: 3,900 to 1,200 tokens",
        ),
        (
            HistorySummarised("a", "arbiter", exchanges=6, by="m:7b", shortened=2, **SIZES),
            "arbiter: the 6 oldest exchanges became a summary by m:7b in the prompt: 3,900 to 1,200 tokens. 2 messages of the user stand shortened in it",
        ),
        (HistorySummarised("a", "arbiter", exchanges=1, by="m", **SIZES), "arbiter: the oldest exchange became a summary by m in the prompt: 3,900 to 1,200 tokens"),
        (Warned("So."), ""),
    ],
)  # fmt: skip
def test_each_step_has_a_sentence(event: Event, sentence: str) -> None:
    assert window_note(event) == sentence

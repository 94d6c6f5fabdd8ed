"""Says what became shorter in a prompt, so that it fits its window."""

from __future__ import annotations

from mmos.events import HistoryShortened
from mmos.library_events import PassagesLeftOut
from mmos.plurals import counted
from mmos.window_events import HistorySummarised, MessagesShortened


def history_warning(event: HistoryShortened) -> str:
    """The sentence for a history that no longer fits into the window."""
    return f"{event.role}: the {event.dropped} oldest exchanges no longer fit into its window and were left out of the prompt"


def messages_warning(event: MessagesShortened) -> str:
    number = len(event.past) + len(event.current)
    what = "the reasoning in " + counted(number, "answer") if event.what == "reasoning" else counted(number, "long result")
    then = "is left out of" if event.what == "reasoning" else "became a reference in" if number == 1 else "became references in"
    return f"{event.role}: {what} {then} the prompt, which did not fit its window: {_tokens(event)}"


def summary_warning(event: HistorySummarised) -> str:
    oldest = f"the {event.exchanges} oldest exchanges" if event.exchanges > 1 else "the oldest exchange"
    cut = f". {counted(event.shortened, 'message')} of the user stands shortened in it" if event.shortened == 1 else ""
    cut = cut or (f". {event.shortened} messages of the user stand shortened in it" if event.shortened else "")
    return f"{event.role}: {oldest} became a summary by {event.by} in the prompt: {_tokens(event)}{cut}"


def passages_warning(event: PassagesLeftOut) -> str:
    fit = "fits" if event.given == 1 else "fit"
    return f"{event.role}: {event.given or 'none'} of {counted(event.found, 'passage')} of the library {fit} its window"


def _tokens(event: MessagesShortened | HistorySummarised) -> str:
    return f"{event.before:,} to {event.after:,} tokens"


OF_WINDOWS = (HistoryShortened, MessagesShortened, HistorySummarised, PassagesLeftOut)


def window_note(event: object) -> str:
    """What one event says about the window. Empty: nothing."""
    match event:
        case HistoryShortened():
            return history_warning(event)
        case MessagesShortened():
            return messages_warning(event)
        case HistorySummarised():
            return summary_warning(event)
        case PassagesLeftOut():
            return passages_warning(event)
    return ""

"""Binds the keys: Enter sends, Alt-Enter starts a new line, Ctrl-C stops the turn, Ctrl-D leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

E = KeyPressEvent


class Typist(Protocol):
    """Receives what the user does at the keyboard."""

    def entered(self, text: str) -> None: ...
    def interrupted(self) -> None: ...
    def left(self) -> None: ...
    def wants_editor(self) -> None: ...


def bindings(typist: Typist, forget: Callable[[], None]) -> KeyBindings:
    """Bind the keys of the chat. All other keys work as in a shell."""
    keys = KeyBindings()
    _for_the_line(keys, typist)
    _for_the_session(keys, typist, forget)
    return keys


def _for_the_line(keys: KeyBindings, typist: Typist) -> None:
    at_line = has_focus(DEFAULT_BUFFER)

    @keys.add("enter", filter=at_line)
    def _send(event: E) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):  # as in a shell, the input continues on the next line
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            typist.entered(buffer.text)

    @keys.add("escape", "enter", filter=at_line)
    def _break(event: E) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-x", "c-e", filter=at_line)
    def _edit(event: E) -> None:  # noqa: ARG001
        typist.wants_editor()

    @keys.add("tab", filter=at_line)
    def _complete(event: E) -> None:
        buffer = event.current_buffer
        if buffer.complete_state is not None:
            buffer.complete_next()
            return
        found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
        if len(found) == 1:
            buffer.apply_completion(found[0])
        else:
            buffer.start_completion(insert_common_part=True)


def _for_the_session(keys: KeyBindings, typist: Typist, forget: Callable[[], None]) -> None:
    at_line = has_focus(DEFAULT_BUFFER)
    empty = Condition(lambda: not get_app().current_buffer.text)

    @keys.add("c-c", filter=at_line)
    @keys.add("<sigint>")
    def _stop(event: E) -> None:  # noqa: ARG001
        typist.interrupted()

    @keys.add("c-d", filter=at_line & empty)
    def _leave(event: E) -> None:  # noqa: ARG001
        typist.left()

    @keys.add("c-l")
    def _clear(event: E) -> None:
        forget()
        event.app.renderer.clear()

    @keys.add("c-z")
    def _suspend(event: E) -> None:
        forget()
        event.app.suspend_to_background()

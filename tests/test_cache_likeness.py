"""Tests of `mmos.cache.likeness`: which texts ask the same, and which only look so."""

from __future__ import annotations

import math

import pytest

from mmos.cache.likeness import cosine, form_of

SAME = [
    ("What is a mutex?", "what is the mutex"),
    ("Could you explain recursion?", "Please explain recursion."),
    ("Please describe how a B-tree works.", "Explain how B-tree works"),
    ("I would like you to fix the loop", "Repair the loop!"),
    ("Hello, what's a monad?", "What is a monad?"),
    ("Why doesn't it stop?", "Why does not it stop?"),
    ("List   three\nreasons", "List three reasons."),
    ("Can you please sort the list `xs`?", "sort the list `xs`"),
]

OTHER = [
    ("Open port 8080.", "Open port 8081."), ("Build with tests.", "Build without tests."), ("Encrypt the file.", "Decrypt the file."),
    ("Enable the cache.", "Disable the cache."), ("Sort ascending.", "Sort descending."), ("Convert from C to F.", "Convert from F to C."),
    ("Convert celsius to fahrenheit", "Convert fahrenheit to celsius"), ("Is 7 prime?", "Is 17 prime?"), ("Is it safe?", "Is it not safe?"),
    ("Is it safe?", "Isn't it safe?"), ("Does it work?", "Doesn't it work?"), ("Explain `a`.", "Explain `b`."), ("Print \"yes\".", "Print \"no\"."),
    ("Translate 'cat'.", "Translate 'car'."), ("Write it in Java.", "Write it in JavaScript."), ("Write it in C.", "Write it in C++."),
    ("Write it in C.", "Write it in C#."), ("Read user_id.", "Read user_ids."), ("Read a.b.c.", "Read a.b.d."), ("Use --force.", "Use --no-force."),
    ("Use -v.", "Use -V."), ("Delete /tmp/a.", "Delete /tmp/b."), ("First five rows.", "Last five rows."), ("The minimum of x.", "The maximum of x."),
    ("Before the call.", "After the call."), ("How does it fail?", "Why does it fail?"), ("When did it fail?", "Where did it fail?"),
    ("Can it run?", "Must it run?"), ("All users.", "Any users."), ("Only users.", "Users."), ("Never retry.", "Always retry."),
    ("Import the data.", "Export the data."), ("x < y", "x > y"), ("x = y", "x != y"), ("x + y", "x - y"), ("Set it to 1.5.", "Set it to 15."),
    ("Is A faster than B?", "Is B faster than A?"), ("About Paris.", "About London."), ("in US cents", "in us cents"), ("Rust or Go?", "Go or Rust?"),
    ("Give me 3 or 4.", "Give me 4 or 3."), ("Use http://a.org/x", "Use http://a.org/y"), ("Pay 5 €.", "Pay 5 $."), ("Is 50 % enough?", "Is 50 enough?"),
    ("A client of it.", "A server of it."), ("Synchronous calls.", "Asynchronous calls."), ("Run: ls", "Run: rm"), ("Do it now.", "Do it later."),
    ("```\nif a:\n    b()\nc()\n```", "```\nif a:\n    b()\n    c()\n```"), ("if a:\n    b()\nc()", "if a:\n    b()\n    c()"),
    ("Erkläre mit Beispiel.", "Erkläre ohne Beispiel."), ("Ist es sicher?", "Ist es nicht sicher?"), ("[1, 2]", "[1 2]"), ("Fix it.", "Fix it, then test it."),
    ("Version 1.2.3", "Version 1.2.4"), ("Meet at 10:30", "Meet at 10:31"), ("Could you swim?", "Could he swim?"), ("He said 'a'.", "He said a."),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_texts_that_ask_the_same_in_other_words(one: str, other: str) -> None:
    assert form_of(one) == form_of(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_texts_that_only_look_alike(one: str, other: str) -> None:
    assert form_of(one) != form_of(other)
    assert form_of(one) == form_of(f"  {one} ")


def test_a_long_text_is_not_compared() -> None:
    assert form_of("word " * 400) is not None
    assert form_of("word " * 401) is None


def test_the_cosine_of_vectors_and_of_what_is_none() -> None:
    assert cosine([1.0, 0.0], [2.0, 0.0]) == 1.0
    assert cosine([1.0, 0.0], [0.0, 3.0]) == 0.0
    assert [cosine([1.0], [1.0, 2.0]), cosine([0.0], [1.0]), cosine([math.nan], [1.0]), cosine([], [])] == [0.0] * 4

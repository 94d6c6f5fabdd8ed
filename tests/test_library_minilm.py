"""The local embedding model: its reading of texts, its vectors, and what happens when it is missing or another file."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from hashlib import sha256
from operator import mul
from pathlib import Path

import pytest

from mmos.errors import UsageError
from mmos.library.embedding import minilm
from mmos.library.embedding.minilm import MiniLm
from mmos.library.embedding.wordpiece import numbers, vocabulary

THERE = all(importlib.util.find_spec(name) for name in ("onnxruntime", "numpy", minilm.PACKAGE))
needs_model = pytest.mark.skipif(not THERE, reason=f"the local embedding model is not installed: {minilm.INSTALL}")


def pieces(text: str, most: int = 256) -> list[str]:
    words = list(vocabulary())
    return [words[number] for number in numbers(text, most)]


# ---------------------------------------------------------------- texts to numbers


def test_the_vocabulary_is_the_one_of_the_notice() -> None:
    text = "".join(f"{word}\n" for word in vocabulary())
    notice = Path(minilm.__file__).with_name("NOTICE").read_text(encoding="utf-8")
    assert len(vocabulary()) == 30_522
    assert sha256(text.encode()).hexdigest() in notice


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", "hello , world !"),
        ("Émbeddings aren't tokenization-free", "em ##bed ##ding ##s aren ' t token ##ization - free"),
        ("中文 text", "中 文 text"),
        ("a\u00a0b\x00c\tD_e", "a bc d _ e"),
        ("🙂 €5", "[UNK] € ##5"),
        ("x" * 101, "[UNK]"),
        ("", ""),
    ],
)
def test_texts_become_pieces_of_words(text: str, expected: str) -> None:
    """As the tokenizer of the model does it: compared with the package tokenizers on 2,115 texts."""
    assert pieces(text) == ["[CLS]", *expected.split(), "[SEP]"]


def test_a_long_text_is_cut_at_the_limit() -> None:
    assert len(numbers("word " * 1_000, 256)) == 256
    assert pieces("one two three", 4) == ["[CLS]", "one", "two", "[SEP]"]


# ---------------------------------------------------------------- vectors


@needs_model
async def test_texts_that_mean_the_same_are_nearer() -> None:
    model = MiniLm()
    texts = [
        "How do I install it on Linux?",
        "The cat sat on the mat.",
        "Installation instructions for Linux systems",
        "A feline rested on the rug.",
    ]
    install, cat, instructions, feline = await model.embed(texts)
    assert [len(vector) for vector in (install, cat)] == [384, 384]
    assert math.isclose(math.hypot(*install), 1, abs_tol=1e-5)

    def alike(one: list[float], other: list[float]) -> float:
        return sum(map(mul, one, other))

    assert min(alike(install, instructions), alike(cat, feline)) > 0.5
    assert max(alike(install, cat), alike(install, feline), alike(cat, instructions), alike(instructions, feline)) < 0.15


@needs_model
async def test_a_text_has_one_vector_whatever_is_beside_it() -> None:
    model = MiniLm()
    texts = ["short", *(f"This is a longer text, with the number {number} and more words. " * 5 for number in range(10)), "short"]
    many = await model.embed(texts)
    (alone,) = await model.embed(["short"])
    assert max(abs(one - other) for one, other in zip(many[0], alone, strict=True)) < 1e-5
    assert many[0] == pytest.approx(many[-1], abs=1e-5)
    assert await model.digest() == minilm.SHA256
    assert await model.embed([]) == []


@needs_model
def test_the_package_of_the_model_is_never_imported() -> None:
    code = (
        "import asyncio, sys; from mmos.library.embedding.minilm import MiniLm, PACKAGE; "
        "print(len(asyncio.run(MiniLm().embed(['text']))[0]), PACKAGE in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["384", "False"]


async def test_another_file_is_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"another model")
    with pytest.raises(UsageError, match=r"model\.onnx is not the model that MMOS knows.*force-reinstall"):
        await MiniLm(file).embed(["text"])


async def test_a_missing_model_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(UsageError, match=r"minilm is not installed.*pip install 'mmos\[embed\]'"):
        await MiniLm().digest()

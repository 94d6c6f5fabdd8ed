"""The header of a GGUF file: names and numbers are read, vocabularies passed over, and damage is told as damage."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from mmos.hosts.embedded.gguf import NotGguf, read_header


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


ENTRIES = [
    entry("general.architecture", 8, text("llama")),
    entry("general.size_label", 8, text("135M")),
    entry("general.file_type", 4, struct.pack("<I", 15)),
    entry("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 3) + text("a") + text("é") + text("")),
    entry("tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, 2) + struct.pack("<2f", 0.5, 1.5)),
    entry("llama.context_length", 4, struct.pack("<I", 8192)),
    entry("llama.rope.freq_base", 6, struct.pack("<f", 10000.0)),
    entry("tokenizer.ggml.add_bos_token", 7, b"\x01"),
    entry("tokenizer.chat_template", 8, text("{% if tools %}{{ tools }}{% endif %}")),
]


def made(folder: Path, entries: list[bytes], *, version: int = 3, count: int | None = None) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, 0, len(entries) if count is None else count) + b"".join(entries))
    return path


def test_a_header_tells_what_the_model_is(tmp_path: Path) -> None:
    header = read_header(made(tmp_path, ENTRIES))
    assert (header.architecture, header.parameters, header.quantization, header.context_length) == ("llama", "135M", "Q4_K_M", 8192)
    assert header.capabilities == {"completion", "tools"}
    assert header.values["llama.rope.freq_base"] == 10000.0
    assert header.values["tokenizer.ggml.add_bos_token"] is True
    assert "tokenizer.ggml.tokens" not in header.values


def test_a_model_that_says_how_it_pools_makes_embeddings(tmp_path: Path) -> None:
    entries = [entry("general.architecture", 8, text("nomic-bert")), entry("nomic-bert.pooling_type", 4, struct.pack("<I", 1))]
    header = read_header(made(tmp_path, entries))
    assert header.embeds
    assert header.capabilities == {"embedding"}
    assert header.context_length is None


@pytest.mark.parametrize("cut", [0, 3, 10, 24, 60, 200])
def test_a_file_that_ends_too_early_is_damaged(tmp_path: Path, cut: int) -> None:
    path = made(tmp_path, ENTRIES)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(NotGguf):
        read_header(path)


def test_other_files_are_no_models(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_text("orchestration: this is a configuration and no model")
    with pytest.raises(NotGguf, match="does not begin"):
        read_header(path)
    with pytest.raises(NotGguf, match="version 9"):
        read_header(made(tmp_path, ENTRIES, version=9))
    with pytest.raises(NotGguf):
        read_header(made(tmp_path, ENTRIES, count=1 << 40))
    with pytest.raises(NotGguf):
        read_header(made(tmp_path, [struct.pack("<Q", 1 << 60)]))
    with pytest.raises(OSError, match="No such file"):
        read_header(tmp_path / "nowhere.gguf")


@pytest.mark.parametrize(
    "hostile",
    [
        entry("a", 9, struct.pack("<IQ", 8, 2**40)),
        entry("a", 9, struct.pack("<IQ", 4, 2**63)),
        entry("a", 9, struct.pack("<IQ", 9, 1)),
        entry("a", 9, struct.pack("<IQ", 99, 1)),
        entry("a", 8, struct.pack("<Q", 2**64 - 1)),
        b"".join(entry(f"key{number}", 8, text("x" * 4_000_000)) for number in range(9)),
    ],
    ids=["an endless list", "a list beyond the file", "a list of lists", "a list of no kind", "an endless text", "36 MB of texts"],
)
def test_a_header_made_to_do_harm_is_damaged(tmp_path: Path, hostile: bytes) -> None:
    with pytest.raises(NotGguf):
        read_header(made(tmp_path, [*ENTRIES, hostile], count=len(ENTRIES) + 9))


@pytest.mark.parametrize(
    "length", [entry("llama.context_length", 8, text("long")), entry("llama.context_length", 10, struct.pack("<Q", 2**64 - 1)), entry("llama.context_length", 11, struct.pack("<q", -1)), entry("llama.context_length", 12, struct.pack("<d", float("nan")))]
)  # fmt: skip
def test_a_number_that_cannot_be_is_none(tmp_path: Path, length: bytes) -> None:
    strange = [entry("general.architecture", 8, text("llama")), entry("general.file_type", 8, text("x")), entry("general.size_label", 12, struct.pack("<d", float("inf"))), length]  # fmt: skip
    header = read_header(made(tmp_path, strange))
    assert (header.context_length, header.quantization, header.parameters) == (None, "", "")

"""Writes a tiny Llama model that says scripted texts. Its tokenizer, cache, sampler and grammar are real; only its weights are chosen by hand.

The next token depends only on the last one, and is nearly certain at every temperature:

* Attention and feed-forward return zero, and the norms are one, so the residual stream is the last token's embedding.
* Each possible next token has a random code of plus and minus ones. The token before it has this code as its embedding, and the row of
  the next token in the output matrix is a multiple of the code. The logit of the right token is higher than every other one by `margin`.

A script is one text. It is cut into pieces that occur only once in the whole model, and ends with the end-of-sequence token, or loops. It
starts after its start token, `<|NAME|>`. The chat template's generation prompt ends with the start token of a script, so the template
decides which script the model says. All other tokens lead to the script `*`, or to the end. The text of a prompt becomes byte tokens: a
prompt counts 1 token, and 1 for each byte, and 1 for each special token.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from real_ollama.gguf import F32, Gguf

Mode = Literal["script", "embedding", "random"]
WIDTH = 64
LEAST_MARGIN = 20
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
PLUS, MINUS = struct.pack("<e", 1), struct.pack("<e", -1)
PLUS_SHARP, MINUS_SHARP = struct.pack("<e", 2), struct.pack("<e", -2)
SHARP = 2
SPACE = "\u2581"
MEAN = 1


@dataclass
class Vocabulary:
    """The tokens, and the next token of each."""

    texts: list[str] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    at: dict[str, int] = field(default_factory=dict)
    follows: dict[int, int] = field(default_factory=dict)
    copies: int = 0

    def __post_init__(self) -> None:
        for text, kind in (("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)):
            self.add(text, kind)
        for byte in range(256):
            self.add(f"<0x{byte:02X}>", BYTE)

    def add(self, text: str, kind: int) -> int:
        if text in self.at:
            raise ValueError(f"the token {text!r} already exists")
        self.at[text] = len(self.texts)
        self.texts.append(text)
        self.kinds.append(kind)
        return self.at[text]

    def control(self, text: str) -> int:
        return self.at[text] if text in self.at else self.add(text, CONTROL)

    def byte(self, value: int) -> int:
        """Add another token for the same byte. Engines read only the two digits of its text."""
        self.copies += 1
        return self.add(f"<0x{value:02X}>#{self.copies}", BYTE)

    def cut(self, text: str, chance: random.Random) -> list[int]:
        """The text in unused pieces of three to eight characters, or in single bytes. Shorter pieces could occur in prompts."""
        tokens: list[int] = []
        place = 0
        while place < len(text):
            lengths = chance.sample(range(3, 9), 6)
            piece = next((found for length in lengths if (found := self._unused(text[place : place + length], length))), "")
            if piece:
                tokens.append(self.add(piece, NORMAL))
                place += len(piece)
            else:
                tokens += [self.byte(value) for value in text[place].encode()]
                place += 1
        return tokens

    def _unused(self, text: str, length: int) -> str:
        piece = text.replace(" ", SPACE)
        return piece if len(piece) == length and piece not in self.at else ""


def _chain(vocabulary: Vocabulary, script: str | Sequence[Any], chance: random.Random) -> list[int]:
    """The tokens of a script. Texts are cut into pieces, and `{"bytes": …}` into bytes."""
    tokens: list[int] = []
    for part in [script] if isinstance(script, str) else script:
        if isinstance(part, str):
            tokens += vocabulary.cut(part, chance)
        else:
            said = part["bytes"]
            tokens += [vocabulary.byte(value) for value in (said.encode() if isinstance(said, str) else said)]
    return tokens


def _learn(vocabulary: Vocabulary, spec: Mapping[str, Any], chance: random.Random) -> int:
    """Add the scripts to the vocabulary. Returns the token that follows all tokens outside of scripts."""
    end = vocabulary.at["</s>"]
    for text in spec.get("control", ()):
        vocabulary.control(text)
    first: dict[str, int] = {}
    for name, script in spec.get("scripts", {}).items():
        chain = _chain(vocabulary, script, chance)
        vocabulary.follows.update(pairwise(chain))
        if chain:
            vocabulary.follows[chain[-1]] = chain[0] if name in spec.get("loop", ()) else end
        first[name] = chain[0] if chain else end
    for name, token in first.items():
        if name != "*":
            vocabulary.follows[vocabulary.control(f"<|{name}|>")] = token
    return first.get("*", end)


def write(path: Path, spec: Mapping[str, Any], *, mode: Mode = "script", padding: int = 0) -> None:
    """Write a model. `padding` adds about this many MiB of zeros, which engines load and compute like real weights."""
    chance = random.Random(0)
    vocabulary = Vocabulary()
    default = _learn(vocabulary, spec, chance)
    feed, layers = (8192, max(2, round(padding * 2**20 / (3 * 8192 * WIDTH * 2)))) if padding else (128, 2)
    heads = 1 if mode == "embedding" else 2
    out = Gguf()
    _describe(out, spec.get("name", mode), vocabulary, (feed, layers, heads))
    if mode == "embedding":
        out.number("llama.pooling_type", "u32", MEAN)
    if "jinja" in spec:
        out.text("tokenizer.chat_template", spec["jinja"])
    embedding, output = _words(vocabulary, default, chance) if mode == "script" else _noise_words(len(vocabulary.texts), mode, chance)
    out.tensor("token_embd.weight", (len(vocabulary.texts), WIDTH), embedding)
    out.tensor("output_norm.weight", (WIDTH,), struct.pack("<f", 1) * WIDTH, F32)
    out.tensor("output.weight", (len(vocabulary.texts), WIDTH), output)
    for layer in range(layers):
        _layer(out, f"blk.{layer}.", (feed, WIDTH // heads), chance, mode if layer == 0 or mode == "random" else "script")
    out.write(path)


def _describe(out: Gguf, name: str, vocabulary: Vocabulary, shape: tuple[int, int, int]) -> None:
    feed, layers, heads = shape
    out.text("general.architecture", "llama")
    out.text("general.name", name)
    out.text("general.description", "scripted test model, not a language model")
    sizes = {
        "context_length": 32768, "embedding_length": WIDTH, "block_count": layers, "feed_forward_length": feed, "attention.head_count": heads,
        "attention.head_count_kv": 1, "rope.dimension_count": WIDTH // heads, "vocab_size": len(vocabulary.texts),
    }  # fmt: skip
    out.number("general.file_type", "u32", 1)
    for key, size in sizes.items():
        out.number(f"llama.{key}", "u32", size)
    out.number("llama.attention.layer_norm_rms_epsilon", "f32", 1e-6)
    out.number("llama.rope.freq_base", "f32", 10000.0)
    out.text("tokenizer.ggml.model", "llama")
    out.texts("tokenizer.ggml.tokens", vocabulary.texts)
    out.numbers("tokenizer.ggml.scores", "f32", [0.0] * len(vocabulary.texts))
    out.numbers("tokenizer.ggml.token_type", "i32", vocabulary.kinds)
    for key, token in (("unknown", 0), ("bos", 1), ("eos", vocabulary.at["</s>"])):
        out.number(f"tokenizer.ggml.{key}_token_id", "u32", token)
    out.number("tokenizer.ggml.add_bos_token", "bool", True)
    out.number("tokenizer.ggml.add_space_prefix", "bool", False)


def _words(vocabulary: Vocabulary, default: int, chance: random.Random) -> tuple[bytes, bytes]:
    """The embedding and the output matrix of a scripted model."""
    count = len(vocabulary.texts)
    codes = [chance.getrandbits(WIDTH) for _ in range(count)]
    said = sorted({*vocabulary.follows.values(), default})
    nearest = max((WIDTH - 2 * (codes[a] ^ codes[b]).bit_count() for place, a in enumerate(said) for b in said[:place]), default=0)
    if SHARP * (WIDTH - nearest) < LEAST_MARGIN:
        raise ValueError("the codes of two tokens are too similar")
    embedding = b"".join(_signs(codes[vocabulary.follows.get(token, default)], PLUS, MINUS) for token in range(count))
    rows = {token: _signs(codes[token], PLUS_SHARP, MINUS_SHARP) for token in said}
    return embedding, b"".join(rows.get(token, bytes(2 * WIDTH)) for token in range(count))


def _noise_words(count: int, mode: Mode, chance: random.Random) -> tuple[bytes, bytes]:
    codes = b"".join(_signs(chance.getrandbits(WIDTH), PLUS, MINUS) for _ in range(count))
    return (codes if mode == "embedding" else _noise(count * WIDTH, chance)), _noise(count * WIDTH, chance)


def _signs(code: int, plus: bytes, minus: bytes) -> bytes:
    return b"".join(plus if code >> bit & 1 else minus for bit in range(WIDTH))


def _noise(size: int, chance: random.Random) -> bytes:
    return struct.pack(f"<{size}e", *(chance.gauss(0, 0.08) for _ in range(size)))


def _diagonal(value: float) -> bytes:
    return struct.pack(f"<{WIDTH * WIDTH}e", *(value * (row == column) for row in range(WIDTH) for column in range(WIDTH)))


def _layer(out: Gguf, name: str, shape: tuple[int, int], chance: random.Random, mode: Mode) -> None:
    """Zeros, or noise. For embeddings, an even attention: the last token has the mean of all, and old engines take the last token."""
    feed, head = shape
    one = struct.pack("<f", 1) * WIDTH
    out.tensor(f"{name}attn_norm.weight", (WIDTH,), one, F32)
    out.tensor(f"{name}ffn_norm.weight", (WIDTH,), one, F32)
    parts = {
        "attn_q": (WIDTH, WIDTH), "attn_k": (head, WIDTH), "attn_v": (head, WIDTH), "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (feed, WIDTH), "ffn_up": (feed, WIDTH), "ffn_down": (WIDTH, feed),
    }  # fmt: skip
    special = {"attn_v": _diagonal(1.0), "attn_output": _diagonal(8.0)} if mode == "embedding" else {}
    for part, (rows, columns) in parts.items():
        data = _noise(rows * columns, chance) if mode == "random" else bytes(2 * rows * columns)
        out.tensor(f"{name}{part}.weight", (rows, columns), special.get(part, data))

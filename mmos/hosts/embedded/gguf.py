"""Reads the header of a GGUF file: names and numbers, but no weights."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmos.hosts import reading

_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _LIST = 8, 9
_MOST_KEYS = 10_000
_MOST_ENTRIES = 4_000_000
"""Entries of one list. The largest vocabularies have some hundred thousand."""
_LONGEST_TEXT = 4 << 20
_MOST_TEXT = 32 << 20
"""Bytes of all texts together."""

# llama.cpp's names for `general.file_type`.
_QUANTIZATIONS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L",
    14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16",
    36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip


class NotGguf(ValueError):
    """The file is no GGUF, or it is not complete."""


@dataclass(frozen=True)
class Header:
    """The metadata of one file, without its lists: they are vocabularies."""

    size: int
    values: Mapping[str, Any]

    @property
    def architecture(self) -> str:
        return reading.word(self.values.get("general.architecture"))

    @property
    def context_length(self) -> int | None:
        return reading.tokens(self.values.get(f"{self.architecture}.context_length")) or None

    @property
    def parameters(self) -> str:
        return reading.word(self.values.get("general.size_label"))

    @property
    def quantization(self) -> str:
        number = reading.count(self.values.get("general.file_type"))
        return "" if number is None else _QUANTIZATIONS.get(number, "")

    @property
    def template(self) -> str:
        return reading.page(self.values.get("tokenizer.chat_template"))

    @property
    def embeds(self) -> bool:
        """Whether the model makes embeddings. Then the file has the pooling of its vectors."""
        return f"{self.architecture}.pooling_type" in self.values

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities in Ollama's words. The template shows whether the model knows tools and thinking."""
        if self.embeds:
            return frozenset({"embedding"})
        words = {"tools": "tools", "enable_thinking": "thinking"}
        return frozenset({"completion", *(word for sign, word in words.items() if sign in self.template)})

    def card(self) -> dict[str, Any]:
        """What every host reports about a model."""
        return {
            "capabilities": self.capabilities, "context_length": self.context_length, "family": self.architecture,
            "parameters": self.parameters, "quantization": self.quantization,
        }  # fmt: skip


def read_header(path: Path) -> Header:
    """The header of a file. Raises OSError and `NotGguf`."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if size < 24 or file.read(4) != b"GGUF":
            raise NotGguf("it does not begin as a GGUF file does")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return Header(size, _Reader(data).values())
            except (struct.error, IndexError, UnicodeDecodeError, KeyError) as error:
                raise NotGguf("its header is damaged or cut off") from error


class _Reader:
    """Walks through the bytes of a header."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4
        self._room = _MOST_TEXT

    def values(self) -> dict[str, Any]:
        version = self._number(4)
        if version not in (2, 3):
            raise NotGguf(f"it is of version {version}, and 2 and 3 can be read")
        self._number(10)  # how many tensors there are
        count = self._number(10)
        if count > _MOST_KEYS:
            raise NotGguf("its header is damaged")
        found: dict[str, Any] = {}
        for _ in range(count):
            name = self._text()
            value = self._value(self._number(4))
            if value is not None:
                found[name] = value
        return found

    def _value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind == _LIST:
            return self._skip_list()
        return self._number(kind)

    def _number(self, kind: int) -> Any:
        (value,) = struct.unpack_from(_FORMATS[kind], self._data, self._at)
        self._at += struct.calcsize(_FORMATS[kind])
        return value

    def _text(self) -> str:
        length = self._number(10)
        self._room -= length
        if length > _LONGEST_TEXT or self._room < 0 or self._at + length > len(self._data):
            raise NotGguf("its header is damaged or cut off")
        self._at += length
        return self._data[self._at - length : self._at].decode()

    def _skip_list(self) -> None:
        kind, count = self._number(4), self._number(10)
        if count > _MOST_ENTRIES:
            raise NotGguf("its header is damaged")
        if kind != _TEXT:
            self._at += struct.calcsize(_FORMATS[kind]) * count
            return
        length_of = struct.Struct("<Q").unpack_from
        data, at = self._data, self._at
        for _ in range(count):
            at += 8 + length_of(data, at)[0]
        self._at = at

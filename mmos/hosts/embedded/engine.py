"""The process of one model: llama.cpp's own server on the loopback. It always ends with its parent.

The parent starts it by its path, and it imports nothing of mmos. It reads its order as one JSON line from stdin, and writes one line to stdout.
Its stdin stays open as long as the parent lives.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

_CACHE_MIB = 512
"""Memory for earlier prompts without a slot. By default llama.cpp takes 8 GiB."""


def main() -> None:
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the native code prints is for the log
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which decides what becomes of us
    order = json.loads(sys.stdin.buffer.readline() or b"{}")
    if not order:
        return
    _die_with(order["parent"])
    threading.Thread(target=_wait_for_the_end, args=(sys.stdin.buffer,), daemon=True).start()
    server, answer = _serve(order)
    print(json.dumps(answer), file=output, flush=True)
    if server is not None:
        threading.Event().wait()


def _serve(order: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    # Threads that wait for each other by spinning bring a model on a busy machine to a standstill: 2 tokens a second were measured
    # where sleeping ones make 50. It is read when the package is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        xllamacpp = import_module("xllamacpp")
    except ImportError as error:
        return None, {"missing": str(error)}
    try:
        server = xllamacpp.Server(_params(xllamacpp, order))
    except RuntimeError as error:  # why is in the log
        return None, {"failed": str(error)}
    return server, {"url": server.listening_address}


def _params(xllamacpp: Any, order: dict[str, Any]) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = order["path"]
    params.model_alias = {order["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order["key"]]
    params.n_parallel = order["slots"]
    params.n_ctx = order["window"] * order["slots"]
    params.kv_unified = False  # each slot has its own window
    if order["embeds"]:
        params.embedding = True
        params.n_batch = params.n_ubatch = order["window"]  # a text is embedded in one batch or not at all
    params.use_jinja = True
    params.ui = False
    params.warmup = False
    params.verbosity = 1
    params.cache_ram_mib = _CACHE_MIB
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = cores()
    return params


def _die_with(parent: int) -> None:
    """Make Linux end this process together with the parent, even during a load, when no thread of this process can run."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it was quicker
        os._exit(0)


def _wait_for_the_end(source: BinaryIO) -> None:
    """End this process when the pipe to the parent closes: the parent closes it, or dies."""
    while source.read(4096):
        pass
    os._exit(0)


def cores() -> int:
    """The physical cores that this process may use. A second thread on the same core only slows both down."""
    if not hasattr(os, "sched_getaffinity"):
        return max(1, os.cpu_count() or 1)
    processors = os.sched_getaffinity(0)
    siblings = {_siblings(number) for number in processors}
    return max(1, min(len(siblings), _quota() or len(siblings)))


def _siblings(number: int) -> str:
    """The logical processors that share a core with this one, as the kernel lists them."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list").read_text(encoding="ascii").strip()
    except OSError:
        return str(number)


def _quota() -> int | None:
    """The whole processors that a container may use."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    main()

"""A double of the program `ollama`: `serve` answers /api/version, starts a process like one for a model, and writes down what it was given."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NOTES = "OLLAMA_DOUBLE_NOTES"
FAILS = "OLLAMA_DOUBLE_FAILS"
KEPT = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "OLLAMA_HOST", "OLLAMA_MODELS", "OLLAMA_NOPRUNE")


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"version": "0.34.4"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main() -> None:
    assert sys.argv[1:] == ["serve"]
    if os.environ.get(FAILS):
        sys.exit(f"time=now level=INFO\nError: {os.environ[FAILS]}")
    host, _, port = os.environ["OLLAMA_HOST"].partition(":")
    server = ThreadingHTTPServer((host, int(port)), Answers)
    runner = subprocess.Popen(["sleep", "600"])
    signal.signal(signal.SIGTERM, lambda *_: (runner.kill(), os._exit(0)))
    print("Listening on", port, file=sys.stderr, flush=True)
    notes = {"pid": os.getpid(), "runner": runner.pid, "environment": {name: os.environ.get(name) for name in KEPT}}
    place = Path(os.environ[NOTES]) / f"{port}.json"
    place.with_suffix(".new").write_text(json.dumps(notes))
    place.with_suffix(".new").rename(place)
    server.serve_forever()


def installed(folder: Path) -> Mapping[str, str]:
    """Put it on the path of commands. They get this environment."""
    programs = folder / "programs"
    programs.mkdir()
    program = programs / "ollama"
    program.write_text(f"#!{sys.executable} -IS\n{Path(__file__).read_text(encoding='utf-8')}")
    program.chmod(0o755)
    return {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", NOTES: str(folder)}


if __name__ == "__main__":
    main()

"""Runs the command `scripts/real-ollama`, which builds and serves Ollama, and makes models."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from real_ollama import server

USAGE = """A real Ollama for tests: `build` prints the path of a binary, `serve` starts a server on a free port, `models` creates the scripted models on a server.

    scripts/real-ollama build [--version v0.34.4]
    scripts/real-ollama serve [--version v0.13.5] [--models [NAME ...]] [--with NUM_PARALLEL=2]
    scripts/real-ollama models --url http://HOST:11434 [--prefix test-] [NAME ...]

Without --version, the installed ollama is used (OLLAMA_BIN, or the one on PATH). If there is none, v0.13.5 is built.
`serve` prints "URL PID FOLDER" and runs until Ctrl-C or a signal stops it.
"""


def binary(version: str | None) -> Path:
    """The requested binary. A build reports its progress on stderr."""
    own = None if version else server.installed()
    if own is not None:
        return own
    wanted = version or server.VERSIONS[0]
    wanted = wanted if wanted.startswith("v") else f"v{wanted}"
    return server.built(wanted) or server.build(wanted)


def serve(options: argparse.Namespace) -> None:
    settings = dict(entry.split("=", 1) for entry in options.setting)
    running = server.start(binary(options.version), **{name.lower(): value for name, value in settings.items()})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        if options.models is not None:
            server.create(running.url, running.binary, options.models)
        print(running.url, running.process.pid, running.folder, flush=True)
        running.process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        running.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=USAGE, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    building = commands.add_parser("build", help="print the path of a binary; build it if there is none")
    serving = commands.add_parser("serve", help="start a server and print its URL, its pid and its folder")
    for command in (building, serving):
        command.add_argument("--version", help=f"build and use this one; tried: {', '.join(server.VERSIONS)}")
    serving.add_argument("--models", nargs="*", metavar="NAME", help="create these scripted models. Default: all")
    serving.add_argument(
        "--with", dest="setting", action="append", default=[], metavar="NAME=VALUE", help="an OLLAMA_* setting, without its prefix"
    )
    making = commands.add_parser("models", help="create the scripted models on a server")
    making.add_argument("names", nargs="*", choices=[*server.names(), []], metavar="NAME")
    making.add_argument("--url", default=os.environ.get("OLLAMA_HOST", "http://127.0.0.1:11434"))
    making.add_argument("--prefix", default="")
    options = parser.parse_args()
    if options.command == "build":
        print(binary(options.version))
    elif options.command == "serve":
        serve(options)
    else:
        print(*server.create(options.url, binary(None), options.names, options.prefix), sep="\n")

"""Runs a real Ollama server on a free loopback port, in its own folder, which ends with the process that started it."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from real_ollama.scripted import Mode, write

HERE = Path(__file__).parent
VERSIONS = ("v0.13.5", "v0.34.4")
"""The versions to build: the last with the engine inside, and the newest, with a separate `llama-server`."""
START_SECONDS = 30.0
STOP_SECONDS = 10.0
HEAVY_MIB = 100


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    return Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".cache") / "real-ollama"


def built(version: str, cache: Path | None = None) -> Path | None:
    """The binary of a version in the cache."""
    home = (cache or cache_folder()) / version
    places = (home / "bin" / "ollama", home / "ollama")
    return next((place for place in places if os.access(place, os.X_OK)), None)


def installed() -> Path | None:
    """The installed ollama: OLLAMA_BIN, or the one on PATH."""
    found = shutil.which(os.environ.get("OLLAMA_BIN") or "ollama")
    return Path(found) if found else None


def build(version: str) -> Path:
    """The binary of a version. Builds it if it is not in the cache."""
    done = subprocess.run(
        ["sh", str(HERE / "build.sh")], env={**os.environ, "OLLAMA_VERSION": version, "OLLAMA_BIN": ""}, stdout=subprocess.PIPE, text=True, check=True
    )  # fmt: skip
    return Path(done.stdout.strip().splitlines()[-1])


@dataclass(eq=False)
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]
    folder: Path
    binary: Path

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text(errors="replace")

    def engines(self) -> list[int]:
        """The processes that hold its models. Only Linux lists them."""
        found = []
        for place in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = place.read_text().rsplit(")", 1)[1].split()[:2]
            except OSError:
                continue  # the process ended in the meantime
            if int(parent) == self.process.pid and state != "Z":
                found.append(int(place.parent.name))
        return found

    def kill_engines(self) -> int:
        engines = self.engines()
        for engine in engines:
            os.kill(engine, signal.SIGKILL)
        return len(engines)

    def stop(self) -> None:
        atexit.unregister(self.stop)
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sign)
                self.process.wait(STOP_SECONDS)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        shutil.rmtree(self.folder, ignore_errors=True)


def start(binary: Path, *, store: Path | None = None, **settings: object) -> Server:
    """Start a server. `settings` are its OLLAMA_* variables. `store` is a shared folder with models. It does not use ~/.ollama."""
    folder = Path(tempfile.mkdtemp(prefix="real-ollama."))
    (folder / "home").mkdir()
    models = store or folder / "models"
    models.mkdir(exist_ok=True)
    port = _free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
    own = {"HOME": str(folder / "home"), "OLLAMA_MODELS": str(models), "OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_NO_CLOUD": "1"}
    wanted = {f"OLLAMA_{name.upper()}": str(value) for name, value in settings.items()}
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [*_ending_with_us(), str(binary), "serve"], env={**clean, **own, **wanted}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}", process, folder, binary)
    atexit.register(server.stop)
    _await(server)
    return server


def _ending_with_us() -> list[str]:
    """Make the system stop the server when the process that started it dies, if the system can do that."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _await(server: Server) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.process.poll() is None:
        try:
            urllib.request.urlopen(f"{server.url}/api/version", timeout=1).read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    log = server.log[-2000:]
    server.stop()
    raise SystemExit(f"{server.binary} serve did not answer within {START_SECONDS:.0f} s:\n{log}")


def names() -> list[str]:
    return sorted(path.stem for path in (HERE / "models").glob("*.Modelfile"))


def create(url: str, binary: Path, wanted: Iterable[str] = (), prefix: str = "") -> list[str]:
    """Write the scripted models and create them on a server. Default: all of them."""
    made = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in list(wanted) or names():
            made.append(prefix + name)
            _write(name, Path(scratch))
            done = subprocess.run(
                [str(binary), "create", prefix + name, "-f", f"{scratch}/{name}.Modelfile"],
                env={**os.environ, "OLLAMA_HOST": url}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                raise SystemExit(f"{binary} could not create {name}: {done.stderr[-1000:]}")
            (Path(scratch) / f"{name}.gguf").unlink()
    return made


def _write(name: str, folder: Path) -> None:
    script = HERE / "models" / f"{name}.json"
    spec = json.loads(script.read_text("utf-8")) if script.exists() else {"name": name}
    mode: Mode = "script" if script.exists() else "embedding" if name == "embed" else "random"
    write(folder / f"{name}.gguf", spec, mode=mode, padding=HEAVY_MIB if name.startswith("heavy") else 0)
    shutil.copy(HERE / "models" / f"{name}.Modelfile", folder)

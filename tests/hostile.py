"""Text that tries to steer a terminal, and a host that says nothing else: names, versions, answers, errors, progress."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mmos.checking import is_model_name
from mmos.cli.text import harmless

NASTY = (
    "\x1b[38;5;201m", "\x1b[8m", "\x1b[30;40m", "\x1b[7m", "\x1b]0;title\x07", "\x1b]52;c;aGk=\x07", "\x1b]8;;http://evil\x1b\\", "\x1bP+q\x1b\\", "\x1b[2J", "\x1b[3A",
    "\x1b[?1049h", "\x1b[6n", "\x1bc", "\x1b(0", "\x9b38;5;201m", "\x9d0;t\x9c", "\x85", "\x00", "\x07", "\b\b\b", "\rover", "\x0b", "\x0c", "\x0e", "\x7f", "\u202e",
    "\u202a", "\u2066", "\u2069", "\u200e", "\u061c", "\u200b", "\u2060", "\ufeff", "\u00ad", "\u034f", "\u180e", "\u2028", "\u2029", "\ufff9", "\U000e0041",
    "a\u200db", "a\u200cb", "z" + "\u0301" * 40, "ก" + "็" * 40, "\u20dd" * 20,
)  # fmt: skip
"""What a reader of a terminal must never get."""

EVIL = "ev" + "il".join(NASTY) + "[red]end[/red] \nmmos: forged"
"""All of it in one text, with markup of rich."""

NAME = "bad" + "".join(filter(is_model_name, NASTY)) + ";$(pwned):7b"
"""A model's name that a configuration takes."""

FOREIGN = f"{EVIL}$(touch pwned);:7b"
"""A model's name that none takes."""

NO_NAMES = ("--config=evil:7b", "-c:7b", "right\u202eleft:7b", "zero\u200bwidth:7b", "filler\u3164:7b")
"""Names that nobody can read, or that a command takes for an option."""


def steering(pieces: str) -> list[str]:
    """What reached a terminal, or a pipe, that is neither text nor one of the sequences that draw a chat."""
    came = [nasty for nasty in NASTY if harmless(nasty) != nasty and nasty in pieces and nasty not in ("\x1b[3A", "\x1b[7m", "\rover")]
    signs = set(re.sub(r"\x1b(?:\[[?0-9;]*[A-Za-z]|[=>])", "", pieces)) - {"\r", "\n", "\b"}
    return came + [sign for sign in signs if harmless(sign) != sign]


@contextmanager
def hostile_host() -> Iterator[str]:
    """Serve it in a thread; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Hostile(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Says nothing on stderr."""

    def do_GET(self) -> None:
        match self.path:
            case "/api/version":
                self._answer({"version": "0.33.0"})  # one with control codes counts as none
            case "/api/tags":
                self._answer({"models": [_model(name) for name in ("general:7b", NAME, FOREIGN, *NO_NAMES)]})
            case "/api/ps":
                self._answer({"models": [_model(FOREIGN) | {"size_vram": 5, "context_length": 4096, "expires_at": EVIL}]})
            case _:
                self._answer({"error": EVIL}, 404)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self.path:
            case "/api/show":
                details = {"family": EVIL, "parameter_size": EVIL, "quantization_level": EVIL}
                info = {"general.architecture": EVIL, f"{EVIL}.context_length": 8192}
                self._answer({"details": details, "model_info": info, "capabilities": ["completion", "tools", EVIL], "template": EVIL})
            case "/api/pull":
                self._lines({"status": EVIL, "total": 100, "completed": 50}, {"status": EVIL}, {"error": EVIL})
            case "/api/chat" if asked.get("messages"):
                self._chat(asked)
            case "/api/chat" | "/api/generate":
                self._answer({"error": EVIL}, 500)
            case _:
                self._answer({"error": EVIL}, 404)

    def _chat(self, asked: dict[str, Any]) -> None:
        last = asked["messages"][-1]
        words = last["content"].split()
        if last["role"] == "user" and "fail" in words:
            self._answer({"error": {"message": EVIL}}, 500)
        elif last["role"] == "user" and "ask" in words:
            self._lines(_said(calls=[("escalate_to_user", {"question": EVIL, "options": [EVIL, "no"], "default": EVIL})]), _DONE)
        elif last["role"] == "user" and "invent" in words:
            self._lines(_said(calls=[(EVIL[:250], {EVIL: EVIL}), ("consult_coding_specialist", {"query": EVIL})]), _DONE)
        else:  # in pieces of one sign, so that none of them is nasty alone
            self._lines(*(_said(sign) for sign in EVIL), _DONE)

    def _answer(self, document: Any, status: int = 200) -> None:
        self._send(json.dumps(document).encode(), status)

    def _lines(self, *lines: dict[str, Any]) -> None:
        self._send("".join(json.dumps(line) + "\n" for line in lines).encode())

    def _send(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _model(name: str) -> dict[str, Any]:
    details = {"family": EVIL, "parameter_size": f"7B{EVIL}", "quantization_level": EVIL}
    return {"name": name, "model": name, "size": 4_000_000_000, "digest": f"{name}{EVIL}", "details": details}


def _said(content: str = "", calls: list[tuple[str, Any]] | None = None) -> dict[str, Any]:
    called = [{"function": {"name": name, "arguments": arguments}} for name, arguments in calls or ()]
    message = {"role": "assistant", "content": content} | ({"tool_calls": called} if called else {})
    return {"model": EVIL, "created_at": EVIL, "message": message, "done": False}


_DONE = _said() | {"done": True, "done_reason": "stop", "prompt_eval_count": 10, "eval_count": 10, "total_duration": 1}

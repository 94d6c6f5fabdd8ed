"""What a hostile host sends: whole answers whose fault is HTTP itself, errors that are none, floods, bombs, and values that no field should have."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.hostile_host import CALLING, DETAILS, GOOD, INFO, MODEL, NUMBERS, SAID, Asked, Attack, Send, raw, whole

_PIECE = 1 << 16

# ---------------------------------------------------------------- fields, and what may stand in them instead

DEEP = b'{"a":' * 300 + b"1" + b"}" * 300
VALUES: tuple[bytes, ...] = (
    b"null", b"true", b"false", b"0", b"-1", b"-9223372036854775808", b"9223372036854775807", b"18446744073709551615",
    b"18446744073709551616", b"99999999999999999999999999999999999999999", b"1e308", b"-1e308", b"1e999", b"0.5", b"NaN", b"Infinity", b"-Infinity",
    b'""', b'" "', b'"text"', b'"5"', b'"\\u0000"', b'"\\ud800"', b'"\\udfff\\ud800"', b'"\\u001b]52;c;aGk=\\u0007"', b'"\\u202e\\u200b"', b'"' + b"x" * 100_000 + b'"',
    b"[]", b"{}", b"[null]", b'[{"a": [1]}]', b'{"a": {"b": []}}', b"[" * 300 + b"]" * 300, DEEP, b"[" * 5000, b'{"error": {"error": {"error": 5}}}',
    b'"2026-99-99T99:99:99Z"', b'"99999-01-01T00:00:00Z"', b'"9999-12-31T23:59:59.999999999-23:59"', b"\xff\xfe", b"[" + b"0," * 5000 + b"0]",
)  # fmt: skip
_MARK = "\u0001HERE\u0001"


def spoiled(line: Any) -> Iterator[tuple[str, bytes]]:
    """The line with each of its fields, lists' entries and itself replaced by each of `VALUES`."""
    for place, marked in _marked(line, "$"):
        before, after = json.dumps(marked).encode().split(json.dumps(_MARK).encode())
        for value in VALUES:
            yield f"{place}={value[:24]!r}", before + value + after


def _marked(node: Any, place: str) -> Iterator[tuple[str, Any]]:
    yield place, _MARK
    if isinstance(node, dict):
        for key, value in node.items():
            yield from ((where, {**node, key: made}) for where, made in _marked(value, f"{place}.{key}"))
    if isinstance(node, list):
        for at, value in enumerate(node):
            yield from ((where, [*node[:at], made, *node[at + 1 :]]) for where, made in _marked(value, f"{place}[{at}]"))


def lies(path: str) -> Iterator[tuple[str, bytes]]:
    """Every answer of a path that has one hostile value in it."""
    for lines in (GOOD[path], CALLING.get(path, [])):
        encoded = [json.dumps(line).encode() for line in lines]
        for at, line in enumerate(lines):
            for name, made in spoiled(line):
                yield f"{path}[{at}]{name}", raw([*encoded[:at], made, *encoded[at + 1 :]], path)


# ---------------------------------------------------------------- attacks

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n"
_BODY = b'{"error": "no"}'


def _heads() -> dict[str, bytes]:
    """Whole answers whose fault is HTTP itself."""
    made = {
        "nothing": b"", "HTTP 0.9": b"hello\n", "no status": b"HTTP/1.1\r\n\r\n", "spaces": b" " * 100_000, "zeros": bytes(100_000), "binary": bytes(range(256)) * 100,
        "a status of words": b"HTTP/1.1 abc OK\r\n\r\n", "HTTP/9.9": b"HTTP/9.9 200 OK\r\n\r\n", "TLS": b"\x16\x03\x01\x02\x00\x01\x00", "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
        "a negative length": _OK + b"Content-Length: -5\r\n\r\n{}", "a huge length": _OK + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
        "a length of words": _OK + b"Content-Length: many\r\n\r\n{}", "two lengths": _OK + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}",
        "length and chunks": _CHUNKED + b"Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "a chunk of -6": _CHUNKED + b"\r\n-6\r\nabcdef\r\n0\r\n\r\n",
        "a huge chunk": _CHUNKED + b"\r\nFFFFFFFFFFFFFFFFF\r\nabc", "a chunk of words": _CHUNKED + b"\r\nxyz\r\nabc\r\n", "a strange coding": _OK + b"Transfer-Encoding: zip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "no end of a chunk": _CHUNKED + b"\r\n2\r\n{}XX0\r\n\r\n", "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n{}",
        "continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 500, "no colon": b"HTTP/1.1 200 OK\r\nnothing here\r\n\r\n{}", "strange bytes": _OK + b"X-\xff\xfe: \xff\xfe\x80\r\n\r\n{}",
        "a strange type": b"HTTP/1.1 200 OK\r\nContent-Type: \xff\xfe\x1b[31m; charset=\xff\r\nContent-Length: 2\r\n\r\n{}", "an unknown charset": b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=rot13\r\nContent-Length: 2\r\n\r\n{}",
        "a long header": _OK + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n{}", "a long reason": b"HTTP/1.1 200 " + b"a" * 1_000_000 + b"\r\n\r\n{}",
        "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}", "garbage behind chunks": _CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n" + b"GARBAGE\r\n" * 1000, "UTF-16": whole("{}".encode("utf-16")),
        "a mark before JSON": whole(b"\xef\xbb\xbf{}"), "401 with a realm": whole(b"{}", status="401 X", more='WWW-Authenticate: Basic realm="\x1b[2J"\r\n'),
        "null bytes": _OK + b"X: a\x00b\r\n\r\n{}", "folded": _OK + b"X: a\r\n b\r\n\r\n{}", "strange cookies": _OK + b"Set-Cookie: =;;;=\xff; a\r\n" * 20 + b"Content-Length: 2\r\n\r\n{}",
        "strange links": _OK + b"Link: <http://[>; rel=next\r\nContent-Length: 2\r\n\r\n{}",
    }  # fmt: skip
    for status in (0, 1, 99, 102, 199, 204, 205, 206, 299, 304, 399, 418, 451, 499, 599, 600, 999, 1000, -1):
        made[f"status {status}"] = f"HTTP/1.1 {status} X\r\nContent-Length: {len(_BODY)}\r\n\r\n".encode() + _BODY
    targets = (
        "http://[",
        "http://[::1",
        "//",
        "",
        "\x80\xff",
        "http://a:99999999/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://" + "a" * 5000,
        "/api/chat",
        "http://\u2100.evil/",
    )
    for target in targets:
        for status in (301, 307, 399):
            location = target.encode("utf-8", "surrogateescape")
            made[f"{status} to {target[:20]!r}"] = b"HTTP/1.1 %d X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)
    return made


def _refusals() -> dict[str, bytes]:
    """Errors that are none, with every status that has rules of its own."""
    errors = {
        "300 levels": DEEP, "300 levels inside": b'{"error": ' + DEEP + b"}", "1,000,000 levels": b"[" * 1_000_000, "a place that is none": b'{"detail": [{"loc": 5}]}',
        "details of words": b'{"detail": [5, null, [[]], {"loc": [[]], "msg": {}}]}', "a number": b'{"error": 5}', "true": b'{"error": true}', "a list": b'{"error": [1, 2]}',
        "wrapped": json.dumps({"error": json.dumps({"error": json.dumps({"error": "deep"})})}).encode(), "huge numbers": b'{"error": {"message": "request exceeds the available context size", "n_prompt_tokens": 1e308, "n_ctx": -5}}',
        "numbers as texts": b'{"error": {"message": "exceed_context_size", "n_prompt_tokens": "many", "n_ctx": {"a": 1}}}', "long digits": b'{"error": "exceeds the available context size (%s tokens) (%s tokens)"}' % (b"9" * 5000, b"8" * 5000),
        "a window of 1": b'{"error": {"message": "exceed_context_size", "n_prompt_tokens": 2147483647, "n_ctx": 1}}', "strange codes": b'{"error": {"message": {"a": []}, "code": [[]], "type": {"b": 1}, "param": [1]}}',
        "half a character": b'{"error": "\\ud800"}', "control codes": b'{"error": "\\u001b]0;owned\\u0007\\u001b[2J"}', "raw bytes": b"\xff\xfe\x00\x1b[2J", "empty": b"", "many quotes": b'{"error": "' + b"model \\'" * 8000 + b'"}',
        "many calls": b'{"error": "' + b"raw=\\'" * 8000 + b'"}',
    }  # fmt: skip
    return {
        f"{name}, {status}": whole(body, status=f"{status} X") for name, body in errors.items() for status in (400, 404, 422, 429, 500, 503)
    }


def _waits() -> dict[str, bytes]:
    dates = (
        "99999999999",
        "9" * 400,
        "-5",
        "1e308",
        "NaN",
        "Fri, 31 Dec 99999999999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -9999",
        "\xb2",
        "soon",
        "inf",
        "0x10",
        "1_0",
    )
    return {
        f"come again at {date[:24]}": whole(_BODY, status="503 X", more=f"Retry-After: {date}\r\nDate: Mon, 01 Jan 0001 00:00:00 +2359\r\n")
        for date in dates
    }  # fmt: skip


def _endless(start: bytes, piece: bytes) -> Send:
    def send(_asked: Asked) -> Iterator[bytes]:
        yield start
        block = piece * max(1, _PIECE // len(piece))
        while True:
            yield block

    return send


def _floods() -> dict[str, Send]:
    open_ = _OK + b"\r\n"
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
    return {
        "an endless line": _endless(stream, b"x"), "an endless text": _endless(stream + b'{"message": {"content": "', b"a"), "endless blanks": _endless(stream, b"\n"),
        "endless objects": _endless(stream, b"{}\n"), "endless headers": _endless(b"HTTP/1.1 200 OK\r\n", b"X-Y: " + b"z" * 1000 + b"\r\n"), "endless names": _endless(b"HTTP/1.1 200 OK\r\nX", b"x"),
        "endless continues": _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "an endless refusal": _endless(b"HTTP/1.1 500 X\r\n\r\n", b"y"), "endless trailers": _endless(_CHUNKED + b"\r\n2\r\n{}\r\n0\r\n", b"T: " + b"z" * 1000 + b"\r\n"),
        "an endless chunk line": _endless(_CHUNKED + b"\r\n5;", b"x"), "endless brackets": _endless(open_, b"["), "endless empty lists": _endless(open_ + b'{"models":[', b"[],"), "endless entries": _endless(open_ + b'{"models":[', b'{"name":"a"},'),
        "endless calls": _endless(stream, b'{"message":{"tool_calls":[{"function":{"name":"a","arguments":{}}}]}}\n'), "endless events": _endless(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", b'data: {"choices":[]}\n\n'),
        "endless parts of a call": _endless(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"a","arguments":"}"}}]}}]}\n\n'),
        "an event on endless lines": _endless(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {\"a\":[\n", b"data: 1,\n"),
    }  # fmt: skip


@cache
def _bomb(coding: str) -> bytes:
    """64 MiB of blanks."""
    plain = b" " * (64 << 20)
    return zlib.compress(plain, 9) if coding == "deflate" else gzip.compress(plain, 9)


def _bombs() -> dict[str, Send]:
    def bomb(coding: str, status: str) -> Send:
        return lambda asked: [
            whole(_bomb("deflate" if coding == "deflate" else "gzip"), "application/x-ndjson", status, f"Content-Encoding: {coding}\r\n")
        ]

    return {
        f"{coding} bomb, {status}": bomb(coding, status)
        for coding in ("gzip", "deflate", "br", "gzip, gzip")
        for status in ("200 OK", "500 X")
    }


def _lines(path: str, *lines: Any) -> Send:
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return lambda asked: [raw(encoded, path)]


def _usages() -> dict[str, Send]:
    final = dict(GOOD["/api/chat"][-1])
    made = {}
    for value in (b"1e308", b"-1", b"-99999999999", b"9223372036854775807", b"99999999999999999999999", b'"many"', b"[]"):
        line = json.dumps({**final, **dict.fromkeys(NUMBERS, _MARK)}).encode().replace(json.dumps(_MARK).encode(), value)
        made[f"counts of {value.decode()}"] = _lines("/api/chat", GOOD["/api/chat"][0], line)
    return made


def _reasons() -> dict[str, Send]:
    return {
        f"the reason {reason[:12]!r}": _lines("/api/chat", GOOD["/api/chat"][0], {**GOOD["/api/chat"][-1], "done_reason": reason})
        for reason in ("\x1b[2J", "x" * 100_000, "Bearer key", "\u202e")
    }


def _lists() -> list[Attack]:
    entry = GOOD["/api/tags"][0]["models"][0]
    held = GOOD["/api/ps"][0]["models"][0]
    return [
        Attack("20,000 models", "/api/tags", _lines("/api/tags", {"models": [{**entry, "name": f"m{n}"} for n in range(20_000)]})),
        Attack("sums beyond 64 bits", "/api/ps", _lines("/api/ps", {"models": [{**held, "size": 2**63, "size_vram": 2**63}] * 5})),
        Attack("huge sums", "/api/ps", _lines("/api/ps", {"models": [{**held, "size_vram": 2**53}] * 400})),
        Attack("windows as texts", "/api/ps", _lines("/api/ps", {"models": [{**held, "context_length": "8k"}]})),
        Attack("huge windows", "/api/tags", _lines("/api/tags", {"models": [{**entry, "details": {**DETAILS, "context_length": 2**62}}]})),
        Attack("a name of 1 MB", "/api/tags", _lines("/api/tags", {"models": [{**entry, "name": "m" * 1_000_000}, entry]})),
        Attack("a version of control codes", "/api/version", _lines("/api/version", {"version": "\x1b]0;x\x07"})),
        Attack("huge layers", "/api/show", _lines("/api/show", {**GOOD["/api/show"][0], "model_info": {**INFO, "qwen2.block_count": 2**62, "qwen2.embedding_length": 2**62}})),
        Attack("numbers that are none", "/api/embed", _lines("/api/embed", {"embeddings": [["1", None, True]]})),
        Attack("too few vectors", "/api/embed", _lines("/api/embed", {"embeddings": []})),
        Attack("endless steps", "/api/pull", _lines("/api/pull", *({"status": f"step {n}", "total": 2**60, "completed": 1} for n in range(5000)))),
        Attack("a pull that turns back", "/api/pull", _lines("/api/pull", *({"status": "a" if n % 2 else "b", "total": 10, "completed": 99} for n in range(20_000)), {"status": "success"})),
        Attack("an index that is a list", "/v1/embeddings", _lines("/v1/embeddings", {"data": [{"index": [], "embedding": [1.0]}]})),
        Attack("an owner that is a list", "/v1/models", _lines("/v1/models", {"data": [{"id": MODEL, "owned_by": []}]})),
    ]  # fmt: skip


def _cards() -> list[Attack]:
    shown, held, entry = GOOD["/api/show"][0], GOOD["/api/ps"][0]["models"][0], GOOD["/api/tags"][0]["models"][0]
    windows = (8192.5, "8192", [8192], 1e308, {}, True, -1, 1)
    names = ("--help", "-c", "../../etc/passwd", "a b", "=x", "'; rm -rf /", '"', "{{x}}", "[red]x", "%s", "a:b:c:d", ":", "")
    return [
        *(Attack(f"a window of {json.dumps(window)[:9]}", "/api/show", _lines("/api/show", {**shown, "model_info": {**INFO, "qwen2.context_length": window}})) for window in windows),
        Attack("an architecture of dots", "/api/show", _lines("/api/show", {**shown, "model_info": {**INFO, "general.architecture": "../../x"}})),
        Attack("a template of 10 MB", "/api/show", _lines("/api/show", {**shown, "template": "{{ .Prompt }}" * 800_000})),
        Attack("heads as lists", "/api/show", _lines("/api/show", {**shown, "model_info": {key: [5] * 5000 for key in INFO}})),
        Attack("models as an object", "/api/ps", _lines("/api/ps", {"models": {"a": held}})),
        Attack("models of numbers", "/api/ps", _lines("/api/ps", {"models": [1, None, held]})),
        *(Attack(f"an end at {date}", "/api/ps", _lines("/api/ps", {"models": [{**held, "expires_at": date}]})) for date in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-20T21:11:30")),
        Attack("100,000 models", "/api/tags", _lines("/api/tags", {"models": [{"name": f"m{number}"} for number in range(100_000)]})),
        Attack("names of options", "/api/tags", _lines("/api/tags", {"models": [*({**entry, "name": name} for name in names), entry]})),
        Attack("10,000 abilities", "/api/tags", _lines("/api/tags", {"models": [{**entry, "capabilities": ["tools"] * 10_000 + [None, {}]}]})),
        Attack("a version that is a list", "/api/version", _lines("/api/version", ["0.1"])),
        Attack("a version of digits", "/api/version", _lines("/api/version", {"version": "9" * 250})),
        Attack("success first", "/api/pull", _lines("/api/pull", {"status": "success"}, {"status": "pulling", "total": 5, "completed": 9})),
        Attack("a refusal behind success", "/api/pull", _lines("/api/pull", {"status": "success"}, {"error": "\x1b[2Jno"})),
    ]  # fmt: skip


def _strange() -> list[Attack]:
    """Answers to a chat that are no answers, or strange ones."""
    first, last = GOOD["/api/chat"]

    def calling(*calls: Any) -> list[Any]:
        return [{"message": {"role": "assistant", "content": "", "tool_calls": list(calls)}}, last]

    def call(name: Any, arguments: Any = None) -> Any:
        return {"id": "\x1b[2J", "function": {"name": name, "arguments": arguments}}

    made: dict[str, list[Any]] = {
        "equal keys": [b'{"message":{"content":"a","content":{}},"message":{"content":"All is well."},"done":true,"done":false}', last], "done twice": [first, last, last, first, {"error": "late"}],
        "done never": [first], "done at once": [{"done": True}], "done as a word": [first, {**last, "done": "true"}], "a message that is null": [{"message": None}, {"message": None, "done": True}],
        "the role system": [{"message": {"role": "system", "content": SAID}}, last], "a role of control codes": [{"message": {"role": "\x1b[2J\0", "content": SAID}}, last],
        "a model of control codes": [{**first, "model": "\x1b]0;x\x07"}, {**last, "model": "\x1b[2J" * 1000}], "thoughts that are a list": [{"message": {"thinking": ["a"]}}, first, last],
        "thoughts of control codes": [{"message": {"thinking": "\x1b]52;c;aGk=\x07\x1b[2J\u202e"}}, first, last], "calls of calls": calling(call("look", json.dumps(json.dumps(json.dumps({"a": 1}))))),
        "a call without a name": calling(call(None)), "a call named by a number": calling(call(5, [[]])), "a call of 1 MB": calling(call("n" * 1_000_000, {})), "a key of 1 MB": calling(call("look", {"k" * 1_000_000: 1})),
        "calls of control codes": calling(call("\x1b]0;x\x07", {"\x1b[2J": "\x9b"})), "1,000 calls": calling(*(call(f"f{number}", {}) for number in range(1000))),
        "numbers beyond": [first, json.dumps(last).replace("900000000", "1e400").encode()], "negative durations": [first, {**last, **dict.fromkeys(NUMBERS, -5)}], "zeros before": [b"\0" + json.dumps(first).encode(), last],
        "control codes in the text": [{"message": {"content": "All\0 is\x1b[2J \u202ewell."}}, last], "bytes in the text": [b'{"message":{"content":"\xff\xfe\xed\xa0\x80"}}', last], "a mark before": [b"\xef\xbb\xbf" + json.dumps(first).encode(), last],
    }  # fmt: skip
    whole_one = raw([json.dumps(line).encode() for line in (first, last)], "/api/chat")
    bytewise = Attack("byte by byte", "/api/chat", lambda asked: (whole_one[at : at + 1] for at in range(len(whole_one))))
    return [bytewise, *(Attack(name, "/api/chat", _lines("/api/chat", *lines)) for name, lines in made.items())]


def _fixed(data: bytes) -> Send:
    return lambda asked: [data]


HEADS, REFUSALS, WAITS, FLOODS, BOMBS = _heads(), _refusals(), _waits(), _floods(), _bombs()
ATTACKS: dict[str, Attack] = {
    str(attack): attack
    for attack in (
        *(Attack(name, "", _fixed(data)) for name, data in {**HEADS, **REFUSALS, **WAITS}.items()),
        *(Attack(name, "", send) for name, send in {**FLOODS, **BOMBS}.items()),
        *(Attack(name, "/api/chat", send) for name, send in {**_usages(), **_reasons()}.items()),
        *_lists(),
        *_cards(),
    )
}
STRANGE = _strange()

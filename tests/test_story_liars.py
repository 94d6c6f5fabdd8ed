"""Stories of hosts that lie, flood and tell secrets: a lying host harms itself alone, and no key of ours comes back."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

import mmos
from mmos.cli.main import main
from tests.hostile import steering
from tests.hostile_attacks import ATTACKS
from tests.hostile_host import MODEL, SAID, SPELLINGS, Attack, Send, hostile, in_thread, telling

PATIENCE = {"connect": 2, "load": 1, "first_byte": 1, "between_chunks": 1, "total": 10}
QUICK = [name for name in ATTACKS if not any(word in name for word in ("endless continues", "an endless chunk line"))]


def configuration(urls: Mapping[str, str], **more: Any) -> dict[str, Any]:
    servers = {name: {"url": url} for name, url in urls.items()}
    arbiter = {"model": MODEL, "server": list(urls), "channel": "tools"}
    return {"orchestration": {"servers": servers, "arbiter": arbiter, "timeouts": PATIENCE, **more}}


# ---------------------------------------------------------------- a lying host harms itself alone


@pytest.mark.parametrize("part", range(6))
async def test_beside_every_liar_the_honest_host_answers(part: int) -> None:
    """Each attack of the table in turn, and the liar is always asked first."""
    async with hostile() as liar, hostile() as honest:
        for name in [name for name in QUICK if ATTACKS[name].path in ("", "/api/chat", "/api/tags", "/api/ps")][part::6]:
            liar.attack = ATTACKS[name]
            async with asyncio.timeout(30), mmos.open(configuration({"a": liar.url, "b": honest.url})) as app:
                answer = await app.run("How is it?")
            assert (answer.status, answer.text) == ("answered", SAID), (name, answer)
            json.dumps(dict(answer.usage))


async def test_where_a_liar_is_alone_the_run_fails_with_a_reason(tmp_path: Path) -> None:
    names = [name for name in QUICK if not ATTACKS[name].path][::17]
    async with hostile() as liar:
        for name in names:
            liar.attack = ATTACKS[name]
            async with asyncio.timeout(60), mmos.open(configuration({"a": liar.url}), state=tmp_path) as app:
                answer = await app.run("How is it?")
                entries = await app.journal.read(run=answer.run)
            assert answer.status == "failed", name
            assert answer.reason
            assert entries


async def test_a_host_that_asks_for_years_of_patience_is_left_for_another() -> None:
    busy = Attack("busy", "/api/chat", lambda _asked: [b"HTTP/1.1 503 X\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n"])
    async with hostile(busy) as liar, hostile() as honest, mmos.open(configuration({"a": liar.url, "b": honest.url})) as app:
        begun = time.monotonic()
        answer = await app.run("How is it?")
    assert (answer.status, answer.text) == ("answered", SAID)
    assert time.monotonic() - begun < 5


async def test_a_host_that_counts_no_tokens_spends_them_all_the_same() -> None:
    """What a host counts below zero, or not at all, is counted by our estimate: a limit holds for it, too."""
    for count in (-1_000_000, 0, "many", 1e308):
        first = {"message": {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "escape", "arguments": {}}}]}}
        last = {**first, "done": True, "done_reason": "stop", "prompt_eval_count": count, "eval_count": count}
        body = json.dumps(last).encode() + b"\n"
        calling = Attack(
            "counts", "/api/chat", lambda _asked, body=body: [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body]
        )  # type: ignore[misc]
        async with hostile(calling) as liar, mmos.open(configuration({"a": liar.url}, limits={"tokens": 2000})) as app:
            answer = await app.run("How is it? " * 200)
        assert answer.reason is not None
        assert answer.reason.code == "limit_tokens", (count, answer)


# ---------------------------------------------------------------- the commands


class Desk:
    """A folder with a configuration, and commands run in this process."""

    def __init__(self, folder: Path, tree: Mapping[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.file = folder / "orchestration.yaml"
        self.file.write_text(yaml.safe_dump(dict(tree)))

    def mmos(self, *args: str) -> tuple[int, str, str]:
        given = [*args, "-c", str(self.file)]
        with pytest.raises(SystemExit) as ended:
            main(given)
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err, (args, err)
        return int(ended.value.code or 0), out, err


LISTS: Sequence[tuple[str, ...]] = (
    ("hosts",),
    ("hosts", "--json"),
    ("models", "list"),
    ("models", "list", "--json"),
    ("models", "show", MODEL),
)


def test_no_list_falls_for_a_liar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [name for name in QUICK if ATTACKS[name].path in ("/api/tags", "/api/ps", "/api/version", "/api/show")]
    names += [name for name in QUICK if not ATTACKS[name].path and not name.startswith("all:status")][::23]
    with in_thread(None, None) as (liar, honest):
        desk = Desk(tmp_path, configuration({"a": liar.url, "b": honest.url}), capsys)
        for name in names:
            liar.attack = ATTACKS[name]
            for command in LISTS:
                code, out, err = desk.mmos(*command)
                assert code == 0, (name, command, err)
                assert "general:7b" in out, (name, command)
                assert len(out) + len(err) < 200_000, (name, command)
                assert "\x1b" not in out + err, (name, command)
                if "--json" in command:
                    json.loads(out)


EXAMINING: Sequence[tuple[str, ...]] = (
    ("models", "warm", MODEL), ("models", "pull", MODEL), ("config", "check"), ("config", "add-host", "URL", "--name", "other", "--dry-run"), ("doctor", "--quick"), ("runs", "list"),
)  # fmt: skip


def test_no_command_that_asks_a_liar_falls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [name for name in QUICK if ATTACKS[name].path in ("/api/tags", "/api/ps", "/api/version", "/api/show")][::3]
    names += [name for name in QUICK if not ATTACKS[name].path][::29]
    with in_thread(None) as (liar,):
        desk = Desk(tmp_path, configuration({"a": liar.url}), capsys)
        for name in names:
            liar.attack = ATTACKS[name]
            for command in EXAMINING:
                code, out, err = desk.mmos(*(liar.url if word == "URL" else word for word in command))
                assert code in (0, 1, 2, 4), (name, command, err)
                assert steering(out + err) == [], (name, command)


@pytest.mark.parametrize(
    "name", ["all:nothing", "all:300 levels, 500", "all:gzip bomb, 200 OK", "all:come again at NaN", "all:endless objects"]
)
def test_no_unloading_and_no_proposal_falls(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with in_thread(ATTACKS[name]) as (liar,):
        desk = Desk(tmp_path, configuration({"a": liar.url}), capsys)
        assert desk.mmos("models", "unload", MODEL)[0] in (1, 4)
        with pytest.raises(SystemExit) as ended:
            main(["config", "init", liar.url, "-o", "-"])
        out, err = capsys.readouterr()
        assert ended.value.code in (0, 1, 4), err
        assert steering(out + err) == []


def test_the_doctor_examines_a_liar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with in_thread(None, None) as (liar, honest):
        desk = Desk(tmp_path, configuration({"a": liar.url, "b": honest.url}), capsys)
        for name in (
            "all:300 levels, 500",
            "all:301 to 'http://['",
            "/api/show:huge layers",
            "/api/ps:sums beyond 64 bits",
            "/api/tags:huge windows",
        ):
            liar.attack = ATTACKS[name]
            code, out, _ = desk.mmos("doctor", "--quick", "--json")
            assert code in (0, 1)
            assert json.loads(out)["findings"]


@pytest.mark.parametrize(
    "name", ["all:an endless line", "all:endless objects", "all:gzip bomb, 200 OK", "/api/pull:endless steps", "all:300 levels inside, 500"]
)
def test_a_pull_is_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with in_thread(ATTACKS[name]) as (liar,):
        desk = Desk(tmp_path, configuration({"a": liar.url}), capsys)
        code, out, err = desk.mmos("models", "pull", MODEL, "--json")
        assert code == 4
        assert json.loads(out)["hosts"][0]["error"]["code"] in ("host_not_understood", "host_failed")
        assert liar.sent < 20 << 20
        assert len(err) < 100_000


def test_a_pull_whose_steps_come_again_and_again_tells_each_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = [{"status": "one" if number % 2 else "two", "total": 10, "completed": 99} for number in range(5000)]
    body = b"\n".join(json.dumps(step).encode() for step in [*steps, {"status": "success"}]) + b"\n"
    again = Attack("again", "/api/pull", lambda _asked: [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body])
    with in_thread(again) as (liar,):
        code, _, err = Desk(tmp_path, configuration({"a": liar.url}), capsys).mmos("models", "pull", MODEL)
    assert code == 0
    assert err.count("a: one") == 1
    assert "100 %" in err


# ---------------------------------------------------------------- keys stay inside

PASSWORD = "Hunter2-Pass/word"
TOKEN = "Query-Tok3n-1234"
PART = "Path-S3cret-5678"
HEADER = "Header-S3cret-91011"
SECRETS = (PASSWORD, TOKEN, PART, HEADER)


def known() -> list[str]:
    """What a server learns of us, in every spelling that it may tell it in."""
    return [spell(secret) for secret in SECRETS for spell in SPELLINGS.values()]


def secretive(url: str) -> dict[str, Any]:
    address = url.replace("http://", "http://user:${MY_PASSWORD}@") + "/${MY_PART}?token=${MY_TOKEN}"
    tree = configuration({"a": address})
    tree["orchestration"]["servers"]["a"]["headers"] = {"X-Api-Key": "${MY_HEADER}"}
    return tree


def tellers() -> list[tuple[str, Send]]:
    told = cycle(known())
    statuses = ("200 OK", "302 Found", "400 X", "401 X", "404 X", "429 X", "500 X", "503 X")
    return [(status, lambda asked, status=status: [telling(known(), next(told), asked.path, status)]) for status in statuses]  # type: ignore[misc]


def leaks(text: str) -> list[str]:
    """Secrets in a text, in any spelling."""
    low = text.lower()
    return [f"{secret} {name}" for secret in SECRETS for name, spell in SPELLINGS.items() if spell(secret).lower() in low]


COMMANDS: Sequence[tuple[str, ...]] = (
    ("hosts",), ("hosts", "--json"), ("models", "list", "--json"), ("models", "show", MODEL, "--json"), ("models", "pull", MODEL, "--json"), ("models", "pull", MODEL),
    ("models", "warm", MODEL), ("models", "unload", MODEL), ("config", "show"), ("config", "show", "--json"), ("config", "check"), ("doctor", "--quick", "--json"),
    ("run", "-vv", "--json", "How is it?"), ("run", "--stream", "How is it?"), ("runs", "list", "--json"), ("threads", "list", "--json"),
)  # fmt: skip


@pytest.mark.parametrize(("status", "send"), tellers(), ids=lambda value: value if isinstance(value, str) else "")
def test_no_secret_comes_back(
    status: str, send: Send, tmp_path: Path, capsys: pytest.CaptureFixture[str], environment: dict[str, str]
) -> None:
    environment.update(MY_PASSWORD=quote(PASSWORD, safe=""), MY_PART=PART, MY_TOKEN=TOKEN, MY_HEADER=HEADER)
    with in_thread(Attack("tells", "", send)) as (teller,):
        desk = Desk(tmp_path, secretive(teller.url), capsys)
        for command in COMMANDS:
            _, out, err = desk.mmos(*command)
            assert not leaks(out + err), (command, out + err)
        assert any(PART in asked.line and TOKEN in asked.line and HEADER in asked.head for asked in teller.asked)  # they did go out
    _, out, _ = desk.mmos("runs", "list", "--json")
    for run in json.loads(out)["runs"]:
        for more in (("runs", "show", run["run"], "--json"), ("runs", "show", run["run"]), ("threads", "export", run["thread"])):
            assert not leaks("".join(desk.mmos(*more)[1:])), more
    for path in (tmp_path / ".mmos").rglob("*"):
        assert not path.is_file() or not leaks(path.read_bytes().decode("latin-1")), path


@pytest.mark.parametrize("status", ["200 OK", "400 X", "401 X", "500 X"])
def test_no_api_key_comes_back(status: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], environment: dict[str, str]) -> None:
    environment.update(MY_KEY=HEADER)
    told = [spell(HEADER) for spell in SPELLINGS.values()]
    with in_thread(Attack("tells", "", lambda asked: [telling(told, told[0], asked.path, status)])) as (teller,):
        tree = configuration({"a": f"{teller.url}/v1"})
        tree["orchestration"]["servers"]["a"] |= {"kind": "openai", "api_key_env": "MY_KEY"}
        desk = Desk(tmp_path, tree, capsys)
        for command in (
            ("run", "-vv", "--json", "How is it?"),
            ("hosts", "--json"),
            ("models", "list", "--json"),
            ("runs", "list", "--json"),
        ):
            _, out, err = desk.mmos(*command)
            assert not leaks(out + err), (command, out + err)
        assert any(f"Bearer {HEADER}" in asked.head for asked in teller.asked)
    for path in (tmp_path / ".mmos").rglob("*"):
        assert not path.is_file() or not leaks(path.read_bytes().decode("latin-1")), path


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    before = dict(os.environ)
    yield os.environ  # type: ignore[misc]
    os.environ.clear()
    os.environ.update(before)

"""A command that MMOS watches: its bytes, its exit code, and what it leaves behind."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from mmos.cli.diagnose.process import Ended, NotStarted, run
from mmos.cli.diagnose.spool import Spool

BINARY = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 300); sys.stderr.buffer.write(b'\\x00\\xff no end')"


def watched(folder: Path, *command: str) -> tuple[Ended, bytes, bytes, bytes]:
    """How it ended, its stdout, its stderr, and what was kept."""
    spool = Spool()
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        ended = run(command, out.fileno(), err.fileno(), spool.keep)
    spool.end()
    kept = b"".join(spool.blocks())
    spool.close()
    return ended, (folder / "out").read_bytes(), (folder / "err").read_bytes(), kept


def shell(folder: Path, script: str) -> tuple[Ended, bytes, bytes, bytes]:
    return watched(folder, "sh", "-c", script)


def test_each_stream_goes_its_own_way_and_lines_stay_whole(tmp_path: Path) -> None:
    ended, out, err, kept = shell(tmp_path, "printf 'a '; echo oops >&2; echo b; printf end; exit 3")
    assert (ended, out, err) == (Ended(3, interrupted=False), b"a b\nend", b"oops\n")
    assert sorted(kept.splitlines()) == [b"a b", b"end", b"oops"]


def test_bytes_that_are_no_text_and_no_line_pass_unchanged(tmp_path: Path) -> None:
    ended, out, err, kept = watched(tmp_path, sys.executable, "-S", "-c", BINARY)
    assert (ended.code, out, err) == (0, bytes(range(256)) * 300, b"\x00\xff no end")
    assert len(kept) == len(out) + len(err) + 2


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 255", 255), ("kill -9 $$", 137), ("kill -SEGV $$", 139), ("exec 1>&- 2>&-; exit 4", 4)]
)
def test_the_exit_code_is_that_of_a_shell(tmp_path: Path, script: str, code: int) -> None:
    assert shell(tmp_path, script)[0] == Ended(code, interrupted=False)


def test_what_cannot_be_started_has_the_code_of_a_shell(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no program")
    for command, code in (("no-such-command", 127), (str(tmp_path / "none"), 127), (str(tmp_path), 126), (str(tmp_path / "data"), 126)):
        with pytest.raises(NotStarted) as raised:
            watched(tmp_path, command)
        assert raised.value.code == code


def test_a_script_without_a_first_line_is_run_by_a_shell(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo $1; exit 5\n")
    script.chmod(0o755)
    ended, out, _, _ = watched(tmp_path, str(script), "word")
    assert (ended.code, out) == (5, b"word\n")


def test_a_process_that_is_left_behind_is_not_waited_for_and_goes_on(tmp_path: Path) -> None:
    begin = time.monotonic()
    ended, out, _, _ = shell(
        tmp_path,
        f"(trap '' HUP; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo late; echo done > {tmp_path}/done) & echo early; exit 1",
    )
    assert (ended.code, out) == (1, b"early\n")
    assert time.monotonic() - begin < 20
    (tmp_path / "go").touch()
    until = time.monotonic() + 20
    while not (tmp_path / "done").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert (tmp_path / "done").exists(), "nobody closed its stdout"
    while b"late" not in (tmp_path / "out").read_bytes() and time.monotonic() < until:
        time.sleep(0.02)
    assert (tmp_path / "out").read_bytes() == b"early\nlate\n"


def test_a_pipe_that_nobody_reads_ends_the_command_as_ever(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    reader = subprocess.Popen(["head", "-c", "10"], stdin=ours, stdout=subprocess.PIPE)
    os.close(ours)
    with (tmp_path / "err").open("wb") as err:
        ended = run(["yes"], theirs, err.fileno(), lambda _stream, _block: None)
    os.close(theirs)
    assert reader.communicate()[0] == b"y\n" * 5
    assert ended == Ended(141, interrupted=True)


def test_a_slow_reader_gets_everything(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    got: list[bytes] = []

    def read() -> None:
        while block := os.read(ours, 1000):
            got.append(block)

    reader = threading.Thread(target=read)
    reader.start()
    with (tmp_path / "err").open("wb") as err:
        run(["sh", "-c", "yes | head -c 300000"], theirs, err.fileno(), lambda _stream, _block: None)
    os.close(theirs)
    reader.join()
    assert b"".join(got) == b"y\n" * 150_000


def test_one_file_for_both_streams_keeps_their_order(tmp_path: Path) -> None:
    kept: list[tuple[int, bytes]] = []
    with (tmp_path / "all").open("wb") as out:
        run(
            ["sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done"],
            out.fileno(),
            out.fileno(),
            lambda stream, block: kept.append((stream, bytes(block))),
        )
    assert (tmp_path / "all").read_text().split() == ["o1", "e1", "o2", "e2", "o3", "e3"]
    assert {stream for stream, _ in kept} == {1}


def test_a_terminal_stays_one_and_its_bytes_stay_the_same() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
    script = "test -t 1 && test -t 2 && echo terminal; stty size <&1; printf '\\033[31mred\\033[0m\\r\\n\\tx\\n'"
    kept: list[bytes] = []
    ended = run(["sh", "-c", script], theirs, theirs, lambda _stream, block: kept.append(bytes(block)))
    os.close(theirs)
    assert ended.code == 0
    assert b"".join(kept) == b"terminal\n33 111\n\033[31mred\033[0m\r\n\tx\n"
    assert os.read(ours, 1000) == b"terminal\r\n33 111\r\n\033[31mred\033[0m\r\r\n\tx\r\n"
    os.close(ours)

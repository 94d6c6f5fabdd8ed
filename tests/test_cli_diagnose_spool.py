"""What a command printed is kept in bounded space, and its lines keep their numbers."""

from __future__ import annotations

import resource
from pathlib import Path

from mmos.cli.diagnose.spool import Spool


def lines(spool: Spool) -> list[bytes]:
    spool.end()
    return b"".join(spool.blocks()).split(b"\n")


def test_of_a_long_log_the_beginning_and_the_end_stay_at_their_numbers() -> None:
    spool = Spool(head=100, tail=100)
    for number in range(1, 1001):
        spool.keep(1, memoryview(b"line %d\n" % number))
    kept = lines(spool)
    assert len(kept) == 1001
    assert kept[:3] == [b"line 1", b"line 2", b"line 3"]
    assert kept[-4:] == [b"line 998", b"line 999", b"line 1000", b""]
    assert all(line in (b"", b"line %d" % number) for number, line in enumerate(kept, 1))
    assert kept.count(b"") > 900
    spool.close()


def test_lines_of_two_streams_are_not_mixed() -> None:
    spool = Spool()
    for stream, block in ((1, b"one "), (2, b"other "), (1, b"line\nnext"), (2, b"line\n")):
        spool.keep(stream, memoryview(block))
    assert lines(spool) == [b"one line", b"other line", b"next"]
    spool.close()


def test_a_line_without_an_end_does_not_wait_for_ever() -> None:
    spool = Spool()
    for _ in range(100):
        spool.keep(1, memoryview(b"x" * 10_000))
    spool.keep(2, memoryview(b"here\n"))
    assert max(map(len, lines(spool))) >= 900_000
    spool.close()


def test_a_full_disk_ends_the_file_and_nothing_else(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    spool = Spool()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        for number in range(5000):
            spool.keep(1, memoryview(b"line %d\n" % number))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert lines(spool) == [*(b"line %d" % number for number in range(5000)), b""]
    spool.close()

"""The environment of the scripts: made of the lock, the whole lock and nothing but the lock; what went wrong on the way is named."""

from __future__ import annotations

import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.checkout import Checkout, make_bare, make_checkout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bare(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def checkout(bare: Path, tmp_path: Path) -> Checkout:
    return make_checkout(tmp_path / "a checkout", tmp_path / "index", bare)


def test_the_environment_is_made_of_the_lock_alone_and_only_once(checkout: Checkout, tmp_path: Path) -> None:
    assert checkout.make()[0] == 0
    assert checkout.works()
    assert checkout.make() == (0, "")
    assert checkout.set(PYTHON=sys.executable).make() == (0, "")
    code, said = checkout.set(PYTHON=str(tmp_path / "python")).make()
    assert code == 1
    assert f"PYTHON={tmp_path / 'python'} is not Python 3.11 or newer" in said
    command = checkout.root / ".venv" / "bin" / "mmos"
    before = command.stat().st_mtime_ns
    code, said = checkout.make("dev")
    assert (code, "requirements/dev.txt" in said) == (0, True)
    assert command.stat().st_mtime_ns == before, "a script that uses it may run"
    assert checkout.make("base") == (0, "")


def test_an_environment_that_was_moved_or_lost_files_is_made_anew(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.root / ".venv" / "made-for").write_text(f"{checkout.root / '.venv'}\n")  # the fixture made it, and not the script
    assert checkout.make()[0] == 0
    (module,) = (checkout.root / ".venv").rglob("site-packages/click/core.py")
    module.unlink()
    code, said = checkout.usable()
    assert code != 0
    assert re.fullmatch(r"mmos: click-\S+ is only half installed\n", said)
    moved = replace(checkout, root=checkout.root.rename(tmp_path / "moved"))
    code, said = moved.make()
    assert (code, moved.works()) == (0, True), said
    assert "making .venv" in said
    assert moved.usable() == (0, "")


def test_an_index_that_cannot_be_reached_is_named_and_nothing_else_is_blamed(checkout: Checkout, tmp_path: Path) -> None:
    code, said = checkout.set(PIP_FIND_LINKS=str(tmp_path / "nowhere")).make()
    assert code == 1
    assert "If you cannot reach the package index" in said
    assert "The embedded model cannot run" not in said


def test_only_the_engine_may_be_missing_and_only_where_it_is_what_failed(checkout: Checkout) -> None:
    (wheel,) = checkout.index.glob("xllamacpp-*.whl")
    wheel.rename(checkout.index / "xllamacpp-1-py3-none-another_machine.whl")
    code, said = checkout.make()
    assert (code, checkout.works()) == (0, True), said
    assert "xllamacpp could not be installed" in said.splitlines()[-1]
    assert checkout.make() == (0, "")
    (checkout.root / ".venv" / "installed").unlink()
    code, said = checkout.set(PIP_FIND_LINKS="").make()
    assert code == 1
    assert "If you cannot reach the package index" in said
    assert "The embedded model cannot run" not in said


def test_a_lock_that_is_not_complete_is_refused_by_name(checkout: Checkout) -> None:
    base = checkout.root / "requirements" / "base.txt"
    base.write_text(re.sub(r"^part==.*\n.*\n", "", base.read_text(), flags=re.MULTILINE))
    code, said = checkout.make()
    assert code == 1
    assert "mmos: asks depends on part[more]>=1; the lock has nothing for it" in said
    assert not (checkout.root / ".venv" / "installed").exists()


def test_two_scripts_at_once_make_one_environment(checkout: Checkout) -> None:
    started = [checkout.start("base"), checkout.start("base")]
    said = [process.communicate(timeout=100)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert "".join(said).count("installing the packages") == 1
    assert checkout.works()


def test_after_ctrl_c_the_next_call_goes_on(checkout: Checkout) -> None:
    process = checkout.start("base")
    assert process.stderr is not None
    assert any("installing the packages" in line for line in process.stderr)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "mmos: stopped. Start" in said
    assert (checkout.make()[0], checkout.works()) == (0, True)

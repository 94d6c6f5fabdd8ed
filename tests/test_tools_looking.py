"""What a file says of its functions, without being run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from mmos.tools.looking import MOST_SOURCE, UnusableError, look
from mmos.tools.sources import MOST_FILES, source_files


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("def f(a): ...", "f"),
        ("async def f(*, a): ...", "f"),
        ("import mmos\n@mmos.tool\ndef f(a): ...", "f"),
        ("import mmos as m\n@m.tool(name='look', timeout=3)\ndef f(a): ...", "look"),
        ("from mmos import tool as t\n@t(name='look')\ndef f(a): ...", "look"),
        ("from mmos import Context\ndef f(context: Context, /): ...", "f"),
        ("if True:\n    def f(a): ...", "f"),
    ],
)
def test_names_that_are_certain(tmp_path: Path, text: str, name: str) -> None:
    assert look_at(tmp_path, text) == name


@pytest.mark.parametrize(
    "text",
    [
        "from os.path import *",
        "def __getattr__(name): ...",
        "globals()['f'] = print",
        "import sys\nsetattr(sys.modules[__name__], 'f', print)",
        "def make():\n    global f\n    f = print\nmake()",
        "def f(a): ...\nf = print(f)",
        "try:\n    from nosuch import f\nexcept ImportError:\n    def f(a): ...",
        "from functools import cache\n@cache\ndef f(a): ...",
        "from functools import cache as tool\n@tool\ndef f(a): ...",
        "import mmos\nNAME = 'x'\n@mmos.tool(name=NAME)\ndef f(a): ...",
        "import mmos\n@mmos.tool(**{'name': 'x'})\ndef f(a): ...",
        "f = lambda a: a",
        "f, g = print, len",
        "for f in [print]: ...",
        "class f: ...",
        "(f := print)",
        "import sys\nsys.path.append('lib')\nimport found_there\nfrom found_there import f",
    ],
)
def test_what_may_be_a_function_has_the_benefit_of_the_doubt(tmp_path: Path, text: str) -> None:
    assert look_at(tmp_path, text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def g(a): ...", "own_tools.py has no function 'f'"),
        ("class A:\n    def f(self): ...", "own_tools.py has no function 'f'"),
        ("def g():\n    f = 1", "own_tools.py has no function 'f'"),
        ("f: int = 3", "own_tools.py, line 1: 'f' is not a function"),
        ("f = f'{1}'", "own_tools.py, line 1: 'f' is not a function"),
        ("def f(a, /): ...", "f: parameter 'a' cannot be given by name, so no model can give it"),
        ("def f(**all): ...", "f: parameter 'all' cannot be given by name, so no model can give it"),
        ("import a_module_that_is_nowhere", "own_tools.py, line 1, imports 'a_module_that_is_nowhere', which is not installed"),
        ("f = = 1", "own_tools.py, line 1, is not valid Python: invalid syntax"),
        ("\0", "own_tools.py"),
    ],
)
def test_what_cannot_be_a_tool(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(UnusableError, match=f"^{fault}".replace("'", ".")):
        look_at(tmp_path, text)


def test_modules_are_found_as_python_finds_them(tmp_path: Path) -> None:
    package = tmp_path / "house_of_tools" / "rooms"
    package.mkdir(parents=True)
    (tmp_path / "house_of_tools" / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "kitchen.py").write_text("def cook(): ...")
    assert look("house_of_tools.rooms.kitchen", "cook", tmp_path) == "cook"
    assert look("shlex", "quote", tmp_path, by_package=True) == "quote"
    assert look("math", "sqrt", tmp_path, by_package=True) is None
    with pytest.raises(UnusableError, match=r"there is no module 'cellar' in house_of_tools\.rooms"):
        look("house_of_tools.rooms.cellar", "f", tmp_path)
    (tmp_path / "json.py").write_text("def f(): ...")
    with pytest.raises(UnusableError, match="Python has a module 'json' of its own; rename yours"):
        look("json", "f", tmp_path)


def look_at(folder: Path, text: str) -> str | None:
    (folder / "own_tools.py").write_text(text)
    return look("own_tools", "f", folder)


def test_every_file_that_an_import_reaches(tmp_path: Path) -> None:
    files = {
        "start.py": "import json\nfrom kit import one\n\ndef late():\n    import hidden\n",
        "hidden.py": "def f(: not Python",
        "kit/__init__.py": "",
        "kit/one.py": "from . import two\nfrom .deep.three import x\nfrom .. import nothing",
        "kit/two.py": "from kit import one",
        "kit/deep/__init__.py": "from ..four import y",
        "kit/deep/three.py": "x = 1",
        "kit/four.py": "y = 2",
        "kit/unused.py": "",
        "json.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {str(path.relative_to(tmp_path)): content for path, content in source_files(["start", "nowhere.at.all"], tmp_path).items()}
    assert found == {name: text.encode() for name, text in files.items() if name != "kit/unused.py"}


def test_what_an_import_reaches_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "start.py").write_text("import more\n")
    (tmp_path / "more.py").write_bytes(b"#" * (MOST_SOURCE + 1))
    with pytest.raises(UnusableError, match=r"more\.py has more than 4 MiB"):
        source_files(["start"], tmp_path)
    names = [f"m{number}" for number in range(MOST_FILES + 1)]
    for name in names:
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "start.py").write_text(f"import {', '.join(names)}\n")
    with pytest.raises(UnusableError, match="more than 2,000 files or 16 MiB of this folder"):
        source_files(["start"], tmp_path)


@pytest.mark.parametrize(
    "text", ["f = a" + ".b" * 3000, "f = " + "-" * 2000 + "1", "f = " + "1+" * 5000 + "1", "f = " + "[" * 150 + "]" * 150]
)
def test_a_file_that_is_nested_too_deeply_ends_in_words(tmp_path: Path, text: str) -> None:
    with suppress(UnusableError):
        assert look_at(tmp_path, text) is None
        return
    with pytest.raises(UnusableError, match=r"own_tools\.py"):
        look_at(tmp_path, text)

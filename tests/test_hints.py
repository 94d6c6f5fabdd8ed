"""What a command answers to the words of Ollama and of other tools: the command to type here."""

from __future__ import annotations

import pytest

from mmos.cli.main import main


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("ps", "mmos hosts"),
        ("list", "mmos models list"),
        ("ls", "mmos models list"),
        ("pull qwen3:8b", "mmos models pull qwen3:8b"),
        ("pull", "mmos models pull MODEL"),
        ("show qwen3:8b", "mmos models show qwen3:8b"),
        ("stop qwen3:8b", "mmos models unload qwen3:8b"),
        ("rm qwen3:8b", "ollama rm qwen3:8b"),
        ("cp a b", "ollama cp a b"),
        ("serve", "ollama serve"),
        ("version", "mmos --version"),
        ("init", "mmos config init"),
        ("resume 01K", "mmos runs resume"),
        ("rnu x", "'run'"),
        ("models rm qwen3:8b", "ollama rm qwen3:8b"),
        ("models ls", "mmos models list"),
        ("models ps", "mmos hosts"),
        ("models load qwen3:8b", "mmos models warm qwen3:8b"),
        ("models pul x", "'pull'"),
        ("config add gpu3", "mmos config add-host gpu3"),
    ],
)
def test_what_is_typed_elsewhere_is_named_as_it_is_here(typed: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(typed.split())
    first = capsys.readouterr().err.splitlines()[0]
    assert ended.value.code == 2
    assert first.startswith("mmos: There is no command")
    assert hint in first


def test_what_nobody_knows_has_no_hint(capsys: pytest.CaptureFixture[str]) -> None:
    for typed in (["xyzzy"], ["models", "xyzzy"]):
        with pytest.raises(SystemExit):
            main(typed)
        assert capsys.readouterr().err.splitlines()[0].endswith("xyzzy'.")

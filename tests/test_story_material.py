"""Stories of what goes along with a task: text that is piped in, files, and images for those who see."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mmos.errors import UsageError
from mmos.files import MOST_IMAGE, MOST_TEXT, file_of, read
from mmos.testing import Call, Model, Turn, stage
from tests.long_texts import finder, planted
from tests.shell import finish, shell

DIFF = b"-old line\n+new line\n"
PNG = b"\x89PNG\r\n\x1a\n\x00pixels"


def seeing(name: str, *turns: Turn) -> Model:
    return Model.scripted(name, turns, capabilities=("completion", "tools", "vision"))


# ---------------------------------------------------------------- what is piped in


async def test_what_is_piped_in_belongs_to_the_task(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [[Call("consult_coding_specialist", {"query": "Good?"})], "Fine."], "coding": ["Yes."]}) as at:
        ended = await at.mmos("run", "Review this", given=DIFF)
        assert (ended.code, ended.out, ended.err) == (0, "Fine.\n", "")
        block = "The file stdin:\n```\n-old line\n+new line\n```"
        assert at.on.heard("arbiter")[0] == f"Review this\n\n{block}"
        assert at.on.heard("coding")[0].endswith(f"\n\n{block}"), "a specialist gets it, too"
        row = (await at.mmos("runs", "list", "--json")).document["runs"][0]
        assert (row["task"], row["files"]) == ("Review this", ["stdin"])


async def test_without_a_task_what_is_piped_in_is_the_task(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as at:
        (tmp_path / "notes.txt").write_text("Buy milk.")
        assert (await at.mmos("run", given=b"What is a mutex?\n")).out == "One.\n"
        assert (await at.mmos("run", "-", "-f", "notes.txt", given=b"Read.")).out == "Two.\n"
        assert at.on.heard("arbiter") == ["What is a mutex?\n", "Read.\n\nThe file notes.txt:\n```\nBuy milk.\n```"]


async def test_files_are_read_in_their_order_and_nothing_in_them_closes_their_fence(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.md").write_text("````\nx\n````\n")
    async with shell(tmp_path, {"arbiter": ["One."]}) as at:
        assert (await at.mmos("run", "Compare.", "-f", "sub/a.md", "-f", "-", given=b"piped\n")).out == "One.\n"
        told = "Compare.\n\nThe file sub/a.md:\n`````\n````\nx\n````\n`````\n\nThe file stdin:\n```\npiped\n```"
        assert at.on.heard("arbiter") == [told]


async def test_nothing_that_comes_adds_nothing(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as at:
        assert (await at.mmos("run", "Hi.", given=b" \n")).code == 0
        assert (await at.mmos("run", "Hi.")).code == 0
        assert at.on.heard("arbiter") == ["Hi.", "Hi."]


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        ((), None, "The task is missing."),
        ((), b"\n", "The task on stdin is empty."),
        ((), b"\xff\xfe", "The task on stdin is neither text in UTF-8 nor an image (byte 0)."),
        (("-", "-f", "-"), b"x", "stdin can be read only once"),
        (("Hi.", "-f", "pipe"), b"x" * (MOST_TEXT + 1), "stdin has more than 1,024 kB."),
        (("Hi.", "-f", "pipe"), None, "pipe is a pipe: only files can be attached."),
    ],
)
async def test_what_cannot_go_along_is_refused_before_anything_begins(
    tmp_path: Path, words: Sequence[str], given: bytes | None, said: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    async with shell(tmp_path, {"arbiter": ["never"]}) as at:
        ended = await at.mmos("run", *words, given=given)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err
        assert at.on.host.requests.total == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "is a directory: only files can be attached"),
        ("nowhere", "no such file or directory"),
        ("pipe", "is a pipe"),
        ("/dev/zero", "/dev/zero is a device"),
        ("nul\0", "null byte"),
        ("bytes", "bytes is neither text in UTF-8 nor an image (byte 1)"),
        ("latin", "latin is neither text in UTF-8 nor an image (byte 0)"),
        ("long", "long has more than 1,024 kB"),
        ("vast.png", "The image vast.png has more than 20 MB"),
    ],
)
def test_only_text_and_images_of_a_bearable_size_are_read(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    contents = {"bytes": b"a\0b", "latin": b"\xe4", "long": b"x" * (MOST_TEXT + 1), "vast.png": PNG.ljust(MOST_IMAGE + 1)}
    for file, content in contents.items():
        (tmp_path / file).write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(said)):
        read(tmp_path / name)


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "])
def test_images_are_known_by_how_they_begin(head: bytes) -> None:
    assert file_of("x", head).image
    assert file_of("x", b"\xef\xbb\xbfRIFF raff").text == "RIFF raff"


async def test_a_pipe_that_stays_open_is_waited_for_with_a_word(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One."]}) as at:
        process = await at.start("run", "Hi.", stdin=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        async with asyncio.timeout(30):
            assert b"waiting for the end of stdin" in await process.stderr.readline()
        assert (await finish(process, b"late")).out == "One.\n"
        assert at.on.heard("arbiter")[0].endswith("```\nlate\n```")


async def test_a_text_that_does_not_fit_is_read_in_parts(tmp_path: Path) -> None:
    text, hidden = planted(140, 4)
    async with shell(tmp_path, {"arbiter": Model.scripted("arbiter", [finder], repeat=True)}) as at:
        ended = await at.mmos("run", "-", "--progress", given=f"{text}What are the codes?".encode())
        assert (ended.code, ended.out.splitlines()) == (0, hidden)
        assert "arbiter reads its task in" in ended.err
        assert "part 2 of " in ended.err
        run = (await at.mmos("runs", "list", "--json")).document["runs"][0]["run"]
        assert "arbiter read its task in" in (await at.mmos("runs", "show", run)).out


# ---------------------------------------------------------------- images


async def test_an_image_goes_to_a_model_that_sees(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": seeing("arbiter", "A cat.")}) as at:
        (tmp_path / "cat.png").write_bytes(PNG)
        ended = await at.mmos("run", "What is this?", "-f", "cat.png")
        assert (ended.code, ended.out) == (0, "A cat.\n")
        message = at.on.sent("arbiter")[0]["messages"][-1]
        assert message["content"] == "What is this?\n\nThe image cat.png is attached."
        assert message["images"] == ["iVBORw0KGgoAcGl4ZWxz"]


async def test_a_specialist_that_sees_gets_the_image_where_the_arbiter_does_not_see(tmp_path: Path) -> None:
    roles: Mapping[str, Any] = {
        "arbiter": [[Call("consult_eyes_specialist", {"query": "What?"}), Call("consult_coding_specialist", {"query": "And?"})], "A cat."],
        "eyes": seeing("eyes", "It is a cat."),
        "coding": ["No idea."],
    }
    async with stage(roles, version="0.34") as on:
        (tmp_path / "cat.png").write_bytes(PNG)
        answer = await on.app.run("What is this?", files=[tmp_path / "cat.png"])
        assert (answer.text, answer.status) == ("A cat.", "answered")
        assert "You cannot see it. These specialists can, and each of them gets it when you consult it: eyes." in on.heard("arbiter")[0]
        assert not [message for message in on.sent("arbiter")[1]["messages"] if "images" in message]
        assert on.sent("eyes")[0]["messages"][-1]["images"] == ["iVBORw0KGgoAcGl4ZWxz"]
        assert "images" not in on.sent("coding")[0]["messages"][-1]
        assert on.heard("coding")[0].endswith("The user attached the image cat.png. You cannot see it.")


async def test_an_image_that_nobody_sees_is_refused_with_the_models_that_would(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    async with shell(tmp_path, {"arbiter": ["never"], "spare": seeing("llava")}) as at:
        ended = await at.mmos("run", "What is this?", "-f", "cat.png", "--role", "spare=arbiter")
        assert ended.code == 2
        assert "None of these roles has a model that can see images, such as cat.png: arbiter (arbiter), spare (arbiter)." in ended.err
        assert "These models can: llava:latest on here." in ended.err
        assert not at.on.sent("arbiter")


async def test_a_thread_with_an_image_goes_on_with_a_model_that_does_not_see(tmp_path: Path) -> None:
    async with stage({"arbiter": seeing("arbiter", "A cat."), "blind": ["A cat, you said."]}, version="0.34") as on:
        (tmp_path / "cat.png").write_bytes(PNG)
        from mmos.app import RunOptions

        await on.app.run("What is this?", thread="t", files=[tmp_path / "cat.png"])
        answer = await on.app.run("And now?", thread="t", options=RunOptions(roles={"arbiter": "blind"}))
        assert (answer.text, answer.status) == ("A cat, you said.", "answered")


async def test_a_run_that_is_resumed_still_has_its_files(tmp_path: Path) -> None:
    async with stage({"arbiter": seeing("arbiter", "A cat.")}, state=tmp_path) as on:
        (tmp_path / "cat.png").write_bytes(PNG)
        on.host.faults.add("refuse")
        failed = await on.app.run("What is this?", files=[tmp_path / "cat.png"])
        assert failed.status == "failed"
        on.host.faults.clear()
        answer = await on.app.resume(failed.run)
        assert (answer.text, "images" in on.sent("arbiter")[-1]["messages"][-1]) == ("A cat.", True)


async def test_python_is_told_what_cannot_be_attached(tmp_path: Path) -> None:
    async with stage({"arbiter": ["never"]}) as on:
        with pytest.raises(UsageError, match="is a directory"):
            await on.app.run("Read.", files=[tmp_path])

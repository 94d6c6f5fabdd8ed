"""Stories of what MMOS does for small models: how many calls a reply may have, and which prompts a role reads."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.app import RunOptions
from mmos.prompting.templates import Templates, set_of
from mmos.testing import Model, Stage, stage


async def most_calls(on: Stage, **options: Any) -> int:
    """The most calls that the grammar of the newest request allows."""
    await on.app.run("How?", options=RunOptions(**options))
    schema = on.sent(str(on.config["orchestration"]["arbiter"]["model"]).partition(":")[0])[-1]["format"]
    found: list[int] = []

    def look(part: Any) -> None:
        if isinstance(part, dict):
            found.extend(value for key, value in part.items() if key == "maxItems")
            for value in part.values():
                look(value)
        elif isinstance(part, list):
            for value in part:
                look(value)

    look(schema)
    return max(found)


def roles(name: str) -> dict[str, Any]:
    return {"arbiter": Model(name, default='{"answer": "Done."}', capabilities=("completion",)), "coding": ["So."]}


@pytest.mark.parametrize(("name", "keys", "most"), [("tiny:135m", {}, 1), ("large:14b", {}, 8), ("tiny:135m", {"calls_at_once": 4}, 4)])
async def test_how_many_calls_a_reply_may_have(name: str, keys: dict[str, Any], most: int) -> None:
    changes: dict[str, Any] = {"arbiter": {"model": "key"}, "models": {"key": {"model": name, **keys}}} if keys else {}
    async with stage(roles(name), orchestration=changes) as on:
        on.config["orchestration"]["arbiter"]["model"] = name  # type: ignore[index]
        assert await most_calls(on) == most


async def test_a_role_has_short_prompts_and_the_others_keep_theirs() -> None:
    models = {"key": {"model": "coding", "prompts": "small"}}
    async with stage(
        {"arbiter": ["So."], "coding": ["So."]}, orchestration={"specialists": {"coding": {"model": "key"}}, "models": models}
    ) as on:
        cast = on.app.cast(RunOptions())
        small = Templates(set_of("small")).fill("specialist", role="coding", purpose="For writing, reading, explaining and fixing code.")
        assert cast["coding"].system == small
        assert "You are the arbiter" in cast["arbiter"].system


async def test_a_model_alone_stays_bare() -> None:
    async with stage(roles("tiny:135m")) as on:
        await on.app.run("How?", options=RunOptions(model="tiny:135m"))
        (body,) = on.sent("tiny")
        assert ("format" in body, [message["role"] for message in body["messages"]]) == (False, ["user"])

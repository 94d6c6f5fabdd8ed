"""The benchmark of the help for small models asks each side the same, and compares each with the bare one."""

from __future__ import annotations

from bench_care import SIDES, Result, cases, measure, table

from mmos.testing import Model, stage


async def test_each_side_is_asked_the_same_and_only_the_grammar_and_the_options_differ() -> None:
    (first, *_) = cases()
    right = '{"calls": [{"tool": "get_weather", "arguments": {"city": "Antwerp"}}]}'
    async with stage({"arbiter": Model("small", default=right, signature="", capabilities=("completion",))}) as on:
        found = await measure(on.app.fleet, [first], "small")
        bodies = on.sent("small")
    assert {name: (result.named, result.right) for name, (result,) in found.items()} == {side.name: (True, True) for side in SIDES}
    assert [body["messages"] for body in bodies] == [bodies[0]["messages"]] * len(SIDES)
    assert [body["options"].get("temperature") for body in bodies] == [None, None, 0, 0]
    assert [(body["format"] == bodies[0]["format"]) for body in bodies] == [True, False, True, False]


def test_the_table_says_how_sure_a_difference_is() -> None:
    good, bad = Result(named=True, right=True, tokens=10, seconds=1.0), Result(named=True, right=False, tokens=20, seconds=2.0)
    bare, other = table({"bare": [bad] * 20, "other": [good] * 20})
    assert "right call   0%" in bare
    assert "right call 100%" in other
    assert "right +100% [" in other
    assert "named +0%" in other

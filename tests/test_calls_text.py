"""The tool-call reader: every form that models write, and every guard against taking a sample, a thought or a mention for a call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.calls.naming import Names
from mmos.calls.spec import Spec
from mmos.calls.text import RawReply, TextReading, read_text


def tool(name: str, required: tuple[str, ...] = (), /, **properties: Any) -> Spec:
    types = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in properties.items()}
    return Spec(name, "", {"type": "object", "properties": types, "required": list(required)})


NAMES = Names(
    [
        tool("get_weather", ("city",), city="string", days="integer"),
        tool("get_time"),
        tool("files.search", ("pattern",), pattern="string", folders={"type": "array", "items": {"type": "string"}}),
        tool("write_file", ("path", "content"), path="string", content="string"),
        tool("plot", ("start", "end"), start="number", end="number"),
        tool("set_lamp", ("on",), on="boolean", color={"type": "string", "enum": ["red", "blue"]}),
        tool("rename", ("name",), name="string", arguments="object"),
    ]
)
PARIS = ("get_weather", {"city": "Paris"})


def read(text: str, **more: Any) -> TextReading:
    return read_text(RawReply(text, NAMES, **more))


def called(text: str, **more: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, dict(call.arguments)) for call in read(text, **more).calls]


ONE = [
    '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>',
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}',
    '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}',
    "<tool_call>{'name': 'get_weather', 'arguments': {'city': 'Paris', 'days': None}}</tool_call>".replace(", 'days': None", ""),
    '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}<tool_call>',
    '{"name": "get_weather", "arguments": {"city": "Paris"}}',
    '{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',
    '[{"name": "get_weather", "arguments": {"city": "Paris"}}]',
    '```json\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```',
    '```\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```',
    '```tool_code\nprint(get_weather(city="Paris"))\n```',
    '```python\nget_weather(city="Paris")\n```',
    '```tool_call\n{"name": "get_weather", "city": "Paris"}\n```',
    '{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]}',
    '{"tool_calls": [{"type": "function", "function": {"name": "get_weather", "arguments": "{\\"city\\": \\"Paris\\"}"}}]}',
    '<function_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</function_call>',
    '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Paris"}}]',
    '[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}',
    '[TOOL_CALLS]get_weather{"city": "Paris"}',
    '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Paris"}}',
    'get_weather\n{"city": "Paris"}',
    'get_weather(city="Paris")',
    'get_weather(city: "Paris")',
    "get_weather(city=Paris)",
    'get_weather({"city": "Paris"})',
    'get_weather("Paris")',
    '[get_weather(city="Paris")]',
    "[\"get_weather(city='Paris')\"]",
    '["get_weather", {"city": "Paris"}]',
    "[get_weather, city='Paris']",
    '[{"get_weather": {"city": "Paris"}}]',
    'get_weather(city="Paris");',
    '[get\\_weather(city="Paris")]',
    "<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>",
    "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</function>\n</tool_call>",
    '<function=get_weather>{"city": "Paris"}</function>',
    '<invoke name="get_weather"><parameter name="city">Paris</parameter></invoke>',
    "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>",
    '<tools>{"name": "get_weather", "arguments": {"city": "Paris"}}</tools>',
    "<start_function_call>call:get_weather{city:<escape>Paris<escape>}<end_function_call>",
    '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>}<tool_call|>',
    '<|tool_call_start|>[get_weather(city="Paris")]<|tool_call_end|>',
    '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Paris"}<|call|>',
    'functools[{"name": "get_weather", "arguments": {"city": "Paris"}}]',
    '{"name": "get_weather", "parameters": {"city": "Paris"}}',
    '{"name": "get_weather", "args": {"city": "Paris"}}',
    '{"tool": "get_weather", "input": {"city": "Paris"}}',
    '{"name": "get_weather", "arguments": "{\\"city\\": \\"Paris\\"}"}',
    '{"name": "get_weather", "arguments": {"arguments": {"city": "Paris"}}}',
    '{"arguments": {"name": "get_weather", "arguments": {"city": "Paris"}}}',
    '{"name": "get_weather", "city": "Paris"}',
    '{"name": "functions.get_weather", "arguments": {"city": "Paris"}}',
    '{"name": "getWeather", "arguments": {"city": "Paris"}}',
    '{"name": "get_wether", "arguments": {"City": "Paris"}}',
    '{"name": "get_weather", "arguments": {"city": "Paris",},}',
    "{“name”: “get_weather”, “arguments”: {“city”: “Paris”}}",
    '{"name": "get_weather", // the tool\n "arguments": {"city": "Paris"} /* done */}',
    '{name: "get_weather", arguments: {city: "Paris"}}',
    'Let me look.\n\n[get_weather(city="Paris")]',
    'I will check. {"name": "get_weather", "arguments": {"city": "Paris"}}',
    '<think>Weather? I call get_weather(city="Rome").</think>\n<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>',
    'They want the weather.</think><tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>',
]

PARIS_JSON = '{"name": "get_weather", "arguments": {"city": "Paris"}}'
ONE += [
    f"Sure! Here's the function call:\n```json\n{PARIS_JSON}\n```\nLet me know if you need anything else!",
    f"```json\n{PARIS_JSON}\n```\n\nThis will fetch the weather.",
    f"Okay.\n\nAction: {PARIS_JSON}",
    'Thought: I need the weather.\nAction: get_weather\nAction Input: {"city": "Paris"}',
    '<tool_call><name>get_weather</name><arguments>{"city": "Paris"}</arguments></tool_call>',
    "<get_weather><city>Paris</city></get_weather>",
    f"```xml\n<tool_call>{PARIS_JSON}</tool_call>\n```",
    PARIS_JSON.replace('"', '\\"'),
    f"<tool_call>\n{PARIS_JSON[:-1]}\n</tool_call>",
    "<|python_tag|>get_weather.call(city='Paris')",
    "get_weather(**{'city': 'Paris'})",
    "Call: get_weather(city='Paris')<bot_end>\nThought: The user asked for it.",
    "<<function>>get_weather(city='Paris')",
    '>>>get_weather\n{"city": "Paris"}',
    '<function=get_weather,{"city": "Paris"}</function>',
    '<function=get_weather({"city": "Paris"})</function>',
    '<function/get_weather>{"city": "Paris"}</function>',
    "<invoke>\n<tool_name>get_weather</tool_name>\n<parameters>\n<city>Paris</city>\n</parameters>\n</invoke>",
    'commentary to=functions.get_weather json{"city": "Paris"}',
    '<tool_calls><tool_call>function<tool_sep>get_weather\n```json\n{"city": "Paris"}\n```\n</tool_call></tool_calls>',
    'function<｜tool▁sep｜>get_weather\n```json\n{"city": "Paris"}\n```<｜tool▁call▁end｜>',
    f"<tool_call>\\n{PARIS_JSON}\\n</tool_call>",
    '{"name": "get_weather", "arguments": "{"city": "Paris"}"}',
    '{"name": "get_weather", "arguments": "\\"{\\\\\\"city\\\\\\": \\\\\\"Paris\\\\\\"}\\""}',
    "1. `get_weather(city='Paris')`",
    'get_weather -> {"city": "Paris"}',
    'get_weather: {"city": "Paris"}',
    'Tool: get_weather\nArguments: {"city": "Paris"}',
    'Thought: I look.\nAction: get_weather\nAction Input:\n```json\n{"city": "Paris"}\n```',
    '"name": "get_weather", "arguments": {"city": "Paris"}}',
    '{"Name": "get_weather", "Arguments": {"city": "Paris"}}',
    '{"name": "get_weather", "arguments": [{"name": "city", "value": "Paris"}]}',
    '{"name": "get_weather", "arguments": {"type": "object", "properties": {"city": "Paris"}, "required": ["city"]}}',
    ']<]minimax[>[<tool_call>]<]minimax[>[<invoke name="get_weather">]<]minimax[>[<city>Paris]<]minimax[>[</city>]<]minimax[>[</invoke>',
    '<|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|><|open|>argument key="city" type="string"<|sep|>Paris<|close|>argument<|sep|><|close|>call<|sep|>',
]


@pytest.mark.parametrize("text", ONE)
def test_every_form_is_read(text: str) -> None:
    assert called(text) == [PARIS]
    assert read(text).unclear == "" or "nothing followed" in read(text).unclear


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('<tool_call>{"name": "get_time"}</tool_call>', [("get_time", {})]),
        ("[get_time()]", [("get_time", {})]),
        ('{"name": "rename", "arguments": {"name": "a", "arguments": {"x": 1}}}', [("rename", {"name": "a", "arguments": {"x": 1}})]),
        ("[plot(start=0, end=2*math.pi)]", [("plot", {"start": 0, "end": 6.283185307179586})]),
        ("plot(-1.5, 1e3)", [("plot", {"start": -1.5, "end": 1000.0})]),
        ("[set_lamp(on=True, color='RED')]", [("set_lamp", {"on": True, "color": "red"})]),
        ("[files_search(pattern='a', folders='src')]", [("files.search", {"pattern": "a", "folders": ["src"]})]),
        ("[get_weather(city='It's hot here, isn't it', days=2)]", [("get_weather", {"city": "It's hot here, isn't it", "days": 2})]),
        ("[get_weather(city=San Francisco, CA, days=3)]", [("get_weather", {"city": "San Francisco, CA", "days": 3})]),
        ("get_weather(city='a')\nget_weather(city='b')", [("get_weather", {"city": "a"}), ("get_weather", {"city": "b"})]),
        ("[get_weather(city='a') + get_weather(city='b')]", [("get_weather", {"city": "a"}), ("get_weather", {"city": "b"})]),
        (
            '<tool_call>{"name": "write_file", "arguments": {"path": "a", "content": "say </tool_call> {\\"x\\": 1}"}}</tool_call>',
            [("write_file", {"path": "a", "content": 'say </tool_call> {"x": 1}'})],
        ),
        (
            "<function=write_file><parameter=path>\na.html\n</parameter><parameter=content>\n<b>\n 1\n</b>\n</parameter></function>",
            [("write_file", {"path": "a.html", "content": "<b>\n 1\n</b>"})],
        ),
        (
            '<tool_call>{"name": "write_file", "arguments": {"path": "a", "content": "two\nlines"}}</tool_call>',
            [("write_file", {"path": "a", "content": "two\nlines"})],
        ),
    ],
)
def test_values_come_as_the_schema_wants_them(text: str, calls: list[Any]) -> None:
    assert called(text) == calls


@pytest.mark.parametrize(
    "text",
    [
        "The weather is fine (sunny, 20°C), and [1] says so.",
        "You can use the get_weather tool for that.",
        'To see it, call `get_weather(city="Paris")` and read the result.',
        'For example, you could write:\n\n```json\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```',
        'A call looks like this:\n\n{"name": "get_weather", "arguments": {"city": "Paris"}}',
        "```python\nimport requests\n\ndef get_weather(city):\n    return requests.get(city)\n\nprint(get_weather('Paris'))\n```",
        'Here is a script:\n```python\nweather = get_weather(city="Paris")\nif weather:\n    print(weather)\n```\nRun it.',
        "I have these tools:\n1. get_weather(city: string)\n2. files.search(pattern: string)",
        '<think>I should call <tool_call>{"name": "get_time"}</tool_call></think>It is late.',
        "Write `<tool_call>` before the JSON and `</tool_call>` after it.",
        '{"city": "Paris", "temperature": 20}',
        "[]",
        "",
        "> get_weather(city='Paris')",
        f"The tool expects {PARIS_JSON} as input.",
        f"An assistant would reply with\n```json\n{PARIS_JSON}\n```\nand wait.",
        f"Tool calls are JSON. The following is one:\n\n```json\n{PARIS_JSON}\n```\n\nThe `name` field says which tool is meant.",
        "In your own code:\n```python\nfrom tools import get_weather\nget_weather(city='Paris')\n```",
        f"```js\nconst call = {PARIS_JSON};\nsend(call);\n```",
        f"```bash\ncurl -d '{PARIS_JSON}' http://x\n```",
        f"Yesterday I sent {PARIS_JSON} and got an error.",
        "| tool | call |\n|---|---|\n| weather | get_weather(city='Paris') |",
        "Don't call get_weather(city='Paris').",
        f"<tool_response>{PARIS_JSON}</tool_response>",
        f"To call a tool, write `<tool_call>{PARIS_JSON}</tool_call>` and wait.",
        ">>> get_weather(city='Paris')\n20",
    ],
)
def test_a_sample_a_mention_and_a_thought_are_no_call(text: str) -> None:
    assert called(text) == []
    assert read(text).unclear == ""


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "get_time", "description": "Tells the time."},
        {"name": "get_time", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}}},
        {"name": "get_time", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}}},
        {"name": "rename", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}}},
    ],
)
def test_the_list_of_tools_told_again_is_no_call(tool: dict[str, Any]) -> None:
    for text in (json.dumps(tool), json.dumps([{"type": "function", "function": tool}]), f"<tools>{json.dumps(tool)}</tools>"):
        assert called(text) == []
        assert "described" in read(text).unclear


def test_what_no_json_can_hold_is_no_value() -> None:
    assert called("[plot(start=1e999, end=1)]") == called('{"name": "plot", "arguments": {"start": 1, "end": 1e999}}') == []
    assert called(f'{{"name": "plot", "arguments": {{"start": 1, "end": {"9" * 5000}}}}}') == []
    assert called('{"name": "get_weather", "arguments": {"city": "a\\ud800"}}') == [("get_weather", {"city": "a\ufffd"})]


def test_an_object_between_tags_is_one() -> None:
    text = "<function=rename><parameter=name>x</parameter><parameter=arguments><to>y</to></parameter></function>"
    assert called(text) == [("rename", {"name": "x", "arguments": {"to": "y"}})]


def test_arguments_of_the_same_name_as_the_keys_around_them_stay_apart() -> None:
    inner = {"name": "x", "arguments": {"to": "y"}}
    assert called(json.dumps({"name": "rename", "arguments": inner})) == [("rename", inner)]
    assert called(json.dumps({"name": "rename", "arguments": {"name": "rename", "args": inner}})) == [("rename", inner)]


def test_what_is_no_call_stays_as_it_is() -> None:
    text = 'In your code call `get_weather(city="Paris")`.\n\n```python\nx = {"name": 1}\n```\n'
    assert read(text).content == text


def test_content_is_what_is_left_without_thinking() -> None:
    text = '<think>Hm.</think>\nI look.\n<tool_call>{"name": "get_time"}</tool_call>\n'
    assert read(text).content.strip() == "I look."


@pytest.mark.parametrize("name", ["exec_shell", "get_wind", "set_weather", "delete_file", "read_file"])
def test_a_tool_that_was_not_offered_is_never_called(name: str) -> None:
    for text in (f'<tool_call>{{"name": "{name}", "arguments": {{"city": "x"}}}}</tool_call>', f"[{name}(city='x')]"):
        assert called(text) == []
        assert name in read(text).unclear


def test_valid_calls_stand_beside_an_invalid_one() -> None:
    made = read('<tool_call>{"name": "get_time"}</tool_call><tool_call>{"name": "get_weather", "arguments": {}}</tool_call>')
    assert [call.name for call in made.calls] == ["get_time"]
    assert "city" in made.unclear


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "write_file", "arguments": {"path": "a", "content": "half of a sen',
        "[get_weather(city='Paris', days=1",
        '<tool_call>{"name": "get_weather", "arguments": {"city"',
        '<think>now I call <tool_call>{"name": "get_time"}</tool_call>',
        "[get_weather(city=get_time())]",
        '{"name": "", "arguments": {"city": "Paris"}}',
    ],
)
def test_what_is_not_sure_is_unclear_and_no_guess(text: str) -> None:
    assert called(text) == []
    assert read(text).unclear


def test_two_tools_of_nearly_one_name_are_not_guessed_between() -> None:
    names = Names([tool("a.search"), tool("b.search")])
    made = read_text(RawReply('<tool_call>{"name": "search", "arguments": {}}</tool_call>', names))
    assert not made.calls
    assert "a.search or b.search" in made.unclear


def test_a_reply_that_reached_its_length_is_not_completed() -> None:
    text = '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}'
    assert called(text) == [PARIS]
    assert called(text, done_reason="length") == []
    assert "length" in read(text, done_reason="length").unclear


def test_a_loop_is_one_call() -> None:
    assert called('<tool_call>{"name": "get_time"}</tool_call>\n' * 9) == [("get_time", {})]


def test_what_follows_for_other_speakers_is_no_reply() -> None:
    assert called('[get_weather(city="Paris")]\n\nUser: and Rome?\n[get_weather(city="Rome")]') == [PARIS]


@pytest.mark.parametrize(
    "given",
    [
        {"name": "functions.get_weather", "arguments": {"city": "Paris"}},
        {"name": "get_weather", "arguments": '{"city": "Paris"}'},
        {"name": "", "arguments": {"name": "get_weather", "arguments": {"city": "Paris"}}},
        {"name": "get_weather", "arguments": {"parameters": {"city": "Paris"}}},
    ],
)
def test_calls_of_a_server_are_repaired_too(given: dict[str, Any]) -> None:
    assert called("", calls=[given]) == [PARIS]


def test_an_error_that_quotes_the_model_is_read() -> None:
    error = 'error parsing tool call: raw=\'{"name": "get_weather", "arguments": {"city": "Paris",}}\', err=invalid character'
    assert called("", error=error) == [PARIS]


def test_silence_after_tokens_is_told() -> None:
    assert "swallowed" in read("", eval_count=30).unclear
    assert read("", eval_count=1).unclear == ""
    assert "thinking" in read("", thinking='<tool_call>{"name": "get_time"}</tool_call>').unclear


PIECES = st.sampled_from(
    ["<tool_call>", "</tool_call>", "{", "}", "[", "]", "(", ")", '"', "'", "\\", "```", "\n", ",", ":", "=", "get_weather", "city", '"name"', '"arguments"', "Paris", "<think>", "</think>", "call:", "<escape>", "<function=get_weather>", "<parameter=city>", "1", "e", "#", "//", "[TOOL_CALLS]"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    made = read(text)
    assert all(call.name in NAMES.specs and not NAMES.specs[call.name].problems(call.arguments) for call in made.calls)

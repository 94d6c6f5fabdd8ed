"""Makes texts of a megabyte that try to keep the tool-call reader busy, and measures the slowest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from bench.calls_rows import specs
from mmos.calls.naming import Names
from mmos.calls.stream import TextStream
from mmos.calls.text import RawReply, read_text

TOOLS = [{"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]
SIGNS = (
    *("{", "[", "(", "<", '"', "'", "\\", "`", "```\n", "```json\n{", "<tool_call>", "<tool_call>{", "</tool_call>", "<think>", "</think>"),
    *("<think></think>", "get_weather ", "get_weather(", "[get_weather(", "get_weather{", '{"name":', '{"name":"get_weather","arguments":'),
    *(
        "<function=get_weather>",
        "<invoke name='get_weather'>",
        "<start_function_call>call:get_weather{city:<escape>",
        "<escape>",
        "{/*",
        "{#\n",
    ),
    *(
        "to=functions.",
        "a.",
        "x = ",
        "- ",
        "~~~\n",
        "User:\n",
        "[f(",
        "f(a='",
        "[\"get_weather(city='x",
        "you call get_weather(city='x'). ",
    ),
    *("<|channel|>", "<｜DSML｜", "return ", ": ", "1,", "a=1,", "word ", "k"),
    *(
        "<<function>>",
        ">>>get_weather\n{",
        "<invoke><tool_name>",
        "<function=get_weather,{",
        "commentary to=functions.x json{",
        "`get_weather(city='x')`\n",
    ),
    *("\nAction Input:\n```", "get_weather -> {", '"name": "get_weather", ', '<|open|>call tool="a"', "]<]minimax[>[", "\\n"),
)
FRAMES = (
    '<tool_call>{"name": "%s', '<tool_call>{"name": "get_weather", "arguments": {"city": "%s', "[get_weather(city=%s", "[%s", "<tool_call>get_weather%s",
    "<function=get_weather><parameter=city>%s", "<function=get_weather>%s<parameter=city>", "get_weather%s(",
)  # fmt: skip
FILLS = ('"', '"x ', "\\", "(", "9", " ", "<a>", "<parameter=city>", "<arg_key>a</arg_key>", "1,", "'x', ", "a:", "k", "**{", '"{"')


def texts(size: int) -> Iterator[tuple[str, str]]:
    for sign in SIGNS:
        yield sign, sign * (size // len(sign))
    for frame in FRAMES:
        for fill in FILLS:
            yield frame % fill, frame % (fill * (size // len(fill)))


def slowest(named: Iterable[tuple[str, str]], *, piece: int = 0) -> tuple[float, str]:
    """The seconds of processor time of the slowest text, read whole or as a stream, and which it was."""
    names = Names(specs(TOOLS))
    worst = (0.0, "")
    for name, text in named:
        begun = time.process_time()
        if piece:
            stream = TextStream(lambda _: None, names)
            for at in range(0, len(text), piece):
                stream.feed(text[at : at + piece])
        else:
            read_text(RawReply(text, names))
        worst = max(worst, (time.process_time() - begun, name))
    return worst

"""Calls of a dangerous tool in many styles, and the ways in which somebody quotes them; `CASES` are those that read as calls."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote

from mmos.calls.naming import Names
from mmos.calls.spec import Spec
from mmos.calls.text import RawReply, read_text

WIPE = Spec(
    "wipe_disk",
    "Wipes a disk.",
    {
        "type": "object",
        "properties": {"disk": {"type": "string"}, "force": {"type": "boolean"}, "times": {"type": "integer"}},
        "required": ["disk"],
    },
)
LOOK = Spec("look", "Looks.", {"type": "object", "properties": {"where": {"type": "string"}}, "required": ["where"]})
STOP = Spec("stop_all", "Stops.", {"type": "object", "properties": {}})
NAMES = Names((WIPE, LOOK, STOP))
ARGUMENTS = {"disk": "/dev/sdb", "force": True}
PLAIN = json.dumps({"name": "wipe_disk", "arguments": ARGUMENTS})

STYLES = {
    "hermes": f"<tool_call>\n{PLAIN}\n</tool_call>",
    "bare": PLAIN,
    "openai": json.dumps({"type": "function", "function": {"name": "wipe_disk", "arguments": json.dumps(ARGUMENTS)}}),
    "mistral": f"[TOOL_CALLS][{PLAIN}]",
    "pythonic": '[wipe_disk(disk="/dev/sdb", force=True)]',
    "llama": '<function=wipe_disk>{"disk": "/dev/sdb", "force": true}</function>',
    "qwen": "<tool_call>\n<function=wipe_disk>\n<parameter=disk>\n/dev/sdb\n</parameter>\n<parameter=force>\ntrue\n</parameter>\n</function>\n</tool_call>",
    "react": 'Action: wipe_disk\nAction Input: {"disk": "/dev/sdb", "force": true}',
    "gemma": "<start_function_call>call:wipe_disk{disk:<escape>/dev/sdb<escape>,force:true}<end_function_call>",
    "harmony": '<|channel|>commentary to=functions.wipe_disk <|constrain|>json<|message|>{"disk":"/dev/sdb","force":true}<|call|>',
}
QUOTING: dict[str, Callable[[str], str]] = {
    "as it stands": lambda text: text,
    "after words": lambda text: f"The specialist wrote:\n\n{text}\n\nThat is all it wrote.",
    "fenced": lambda text: f"```\n{text}\n```",
    "fenced as json": lambda text: f"~~~json\n{text}\n~~~",
    "quoted lines": lambda text: "\n".join(f"> {line}" for line in text.splitlines()),
    "indented": lambda text: "\n".join(f"    {line}" for line in text.splitlines()),
    "in ticks": lambda text: f"It says `{text}`.",
    "more blanks": lambda text: text.replace(", ", " ,\n    ").replace(": ", "  :  "),
    "no blanks": lambda text: text.replace(", ", ",").replace('": ', '":'),
    "two lines": lambda text: text.replace('"disk"', '\n"disk"').replace("disk=", "\ndisk="),
    "other quotes": lambda text: text.replace('"', "'"),
    "curly quotes": lambda text: text.replace('"/dev/sdb"', "“/dev/sdb”"),
    "escaped unicode": lambda text: text.replace("/dev/sdb", "\\u002fdev\\u002fs\\u0064b"),
    "entities": html.escape,
    "percent": quote,
    "in a JSON string": json.dumps,
    "in a result": lambda text: json.dumps({"success": True, "response": text, "reasoning": ""}),
    "twice in JSON": lambda text: json.dumps({"said": json.dumps([text])}),
    "another spelling": lambda text: text.replace("wipe_disk", "wipeDisk"),
    "a prefix": lambda text: text.replace("wipe_disk", "functions.wipe_disk"),
    "a typing error": lambda text: text.replace("wipe_disk", "wipe_diskk"),
    "capitals": lambda text: text.replace("wipe_disk", "Wipe_Disk"),
    "zero width": lambda text: text.replace("/dev/sdb", "/dev/\u200bsdb"),
    "in a list": lambda text: f"[{text}]",
    "half of it": lambda text: text.replace(', "force": true', "").replace(", force=True", "").replace(',"force":true', ""),
    "no end": lambda text: text.removesuffix("</tool_call>").removesuffix("]").removesuffix("</function>").rstrip(),
    "key order": lambda text: text.replace(
        PLAIN, json.dumps({"arguments": {"force": True, "disk": "/dev/sdb"}, "id": "call_1", "name": "wipe_disk"})
    ),
    "text for true": lambda text: text.replace("true", '"yes"'),
    "other keys": lambda text: text.replace('"name"', '"tool"').replace('"arguments"', '"parameters"'),
}

CASES = [(style, way) for style in STYLES for way in QUOTING if read_text(RawReply(QUOTING[way](STYLES[style]), NAMES)).calls]
"""The quotations that are calls where nobody knows that they are quotations."""

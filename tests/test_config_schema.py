"""The JSON Schema that editors use: as strict as the reader, and kept in step with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import mmos.config.json_schema
from mmos.config.json_schema import json_schema, json_schema_text
from mmos.config.load import from_text
from mmos.errors import ConfigError

ROOT = Path(__file__).parent.parent
ROOM = Path(mmos.config.json_schema.__file__).parent


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_file_that_editors_read_is_up_to_date():
    assert (ROOM / "orchestration.schema.json").read_text(encoding="utf-8") == json_schema_text()


def test_it_says_its_dialect():
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_key_is_described():
    for name, section in json_schema()["$defs"].items():
        for key, rule in section["properties"].items():
            assert rule.get("description"), f"{name}.{key}"
        assert section["additionalProperties"] is False


@pytest.mark.parametrize("path", [ROOT / "orchestration.yaml", ROOM / "default.yaml"])
def test_it_accepts_what_we_ship(validator, path):
    validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


BASE = "orchestration: {arbiter: {model: m, %s}, %s}"


@pytest.mark.parametrize(
    ("arbiter", "section", "right"),
    [
        ("", "", True),
        ("timeout: 5m, think: high, keep_alive: -1, tools: [a], server: [a, b]", "", True),
        ("context_window: '${W}', think: true, tools: {deny: [a]}", "servers: {a: {url: 'http://a', parallel: '${P:-2}'}}", True),
        ("options: {temperature: 0.1, stop: [a]}", "limits: {tokens: null, seconds: 10m}, timeouts: {total: null}", True),
        ("", "servers: {here: {kind: embedded}}", True),
        ("modle: m", "", False),
        ("context_window: 8", "", False),
        ("context_window: '8192'", "", False),
        ("channel: tool", "", False),
        ("options: {num_ctx: 4096}", "", False),
        ("timeout: soon", "", False),
        ("", "limits: {turns: 0}", False),
        ("", "specialists: {Bad-Name: {model: m}}", False),
        ("", "servers: {a: {}}", False),
        ("", "servers: {a: {url: 'http://a', key: 1}}", False),
        ("", "tools: ['os.system']", False),
        ("", "unknown: 1", False),
    ],
)
def test_it_agrees_with_the_reader(validator, arbiter, section, right):
    text = BASE % (arbiter, section)
    assert validator.is_valid(yaml.safe_load(text)) is right
    assert _loads(text) is right


def _loads(text: str) -> bool:
    environ: dict[str, Any] = {"W": "4096"}
    try:
        from_text(text, "f", environ)
    except ConfigError:
        return False
    return True

"""Finds texts of users in Python that become pages, templates, or addresses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mmos.quality.answer import Block, Reading
from mmos.quality.finding import Finding
from mmos.quality.places import finding_in
from mmos.quality.python_flow import Scope, dotted, level_of, pieces, scopes_of, texts_of

_LOADS = re.compile(
    r"^(?:requests|httpx|urllib\.request|urllib2|aiohttp|session|client|http)\.(?:get|post|put|delete|head|patch|request|urlopen|urlretrieve)$|^urlopen$"
)
_TEMPLATES = ("render_template_string", "from_string")
_MARKS = ("Markup", "mark_safe", "HTMLResponse")
_PAGES = (*_MARKS, "HttpResponse", "make_response", "Response", "write")
_HTML = ("A text from outside becomes HTML as it is: it can contain a script.", "Escape it, or let a template escape it.")
_TEMPLATE = ("A text from outside becomes a template, which can run code.", "Pass it as a value of a fixed template.")
_REDIRECT = ("The user is sent to an address that comes from outside.", "Send only to addresses of a fixed list.")
_LOADED = ("An address from outside is loaded: it may name a host inside the network.", "Load only from hosts of a fixed list.")


def python_web(reading: Reading) -> Iterator[Finding]:
    for block in reading.blocks:
        if block.language == "python":
            for scope, nodes in scopes_of(block.text):
                for node in nodes:
                    if isinstance(node, ast.Call) and node.args:
                        yield from _of_call(block, node, scope)
                    elif isinstance(node, ast.Return) and _is_page(node.value, scope):
                        yield finding_in(block, node.lineno, "injection", "error", _HTML)


def _is_page(value: ast.expr | None, scope: Scope) -> bool:
    if not isinstance(value, ast.JoinedStr | ast.BinOp | ast.Call):
        return False
    return any(re.search(r"<\w+[^<]*$|<\w+.*>", before) and level_of(one, scope) == "outside" for before, one in pieces(value, scope))


def _of_call(block: Block, call: ast.Call, scope: Scope) -> Iterator[Finding]:
    name = dotted(call.func)
    last = name.rpartition(".")[2]
    first = call.args[0]
    level = level_of(first, scope)
    if level == "clean":
        return
    if last in _TEMPLATES or name in ("Template", "jinja2.Template"):
        if level == "outside" or pieces(first, scope):
            yield finding_in(block, call.lineno, "injection", "error", _TEMPLATE)
    elif last in _PAGES:
        if (level == "outside" and (last in _MARKS or "<" in texts_of(first, scope))) or (last in _MARKS and pieces(first, scope)):
            yield finding_in(block, call.lineno, "injection", "error", _HTML)
    elif (
        level == "outside"
        and last == "redirect"
        and not pieces(first, scope)
        and not scope.checks("url_for", "is_safe", "netloc", "allowed")
    ):
        yield finding_in(block, call.lineno, "open_redirect", "warning", _REDIRECT)
    elif (
        level == "outside" and _LOADS.match(name) and not _host_is_fixed(first, scope) and not scope.checks("allowed", "netloc", "hostname")
    ):
        yield finding_in(block, call.lineno, "ssrf", "warning", _LOADED)


def _host_is_fixed(first: ast.expr, scope: Scope) -> bool:
    found = pieces(first, scope)
    return bool(found) and bool(re.match(r"https?://[\w.-]+(?::\d+)?/|\0/", found[0][0]))

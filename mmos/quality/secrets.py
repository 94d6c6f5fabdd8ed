"""Finds secrets in an answer: keys of well-known services, private keys, passwords. Placeholders are none."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from mmos.key_forms import KEY_FORMS
from mmos.quality.answer import Reading
from mmos.quality.finding import Finding, Severity
from mmos.quality.places import place_of

_KNOWN: tuple[tuple[str, str], ...] = (
    *KEY_FORMS,
    ("address of a Slack hook", r"hooks\.slack\.com/services/T[0-9A-Z]{6,}/B[0-9A-Z]{6,}/[0-9A-Za-z]{16,}"),
    ("address of a Discord hook", r"discord(?:app)?\.com/api/webhooks/\d{16,}/[\w-]{40,}"),
    (
        "key of a model service",
        r"\bsk-(?:proj-|ant-(?:api\d\d-)?|or-v1-|svcacct-)?[0-9A-Za-z_-]{20,}|\b(?:gsk|r8|nvapi|xai|pplx)[_-][A-Za-z0-9]{30,}",
    ),
    ("Twilio key", r"\b(?:SK|AC)[0-9a-f]{32}\b"),
    ("token of a cloud", r"\bdapi[0-9a-f]{32}|\bsq0(?:atp|csp)-[\w-]{20,}|\bkey-[0-9a-f]{32}\b"),
    ("signed token", r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{20,}"),
    ("key of an Azure account", r"AccountKey=[0-9A-Za-z+/]{60,}={0,2}|SharedAccessKey=[0-9A-Za-z+/]{40,}={0,2}"),
)
_HINTS = re.compile(
    r"AKIA|ASIA|AROA|AIDA|gh[pousr]_|github_pat_|gl[a-z]{2,4}-|xox|xapp-|hooks\.slack|api/webhooks|sk-|[srp]k_|whsec_|AIza|ya29|GOCSPX|npm_|pypi-|SG\.|hf_|SK[0-9a-f]{8}|AC[0-9a-f]{8}|"
    r"do[opr]_v1|dapi|lin_api|shp|sq0|key-|hv[sb]\.|NRAK|dckr_|tskey-|gsk_|r8_|nvapi-|xai-|pplx-|:AA|eyJ|AccountKey|AccessKey|AGE-|://|aws|AWS|Bearer|\.login\(|\.auth"
)
"""A line without these has no key of a service, and no address."""
_NAMES = re.compile(r"pass|pwd|secret|token|key|credential|identified by|-u ", re.IGNORECASE)
_TOKENS = re.compile("|".join(f"(?P<k{index}>{pattern})" for index, (_, pattern) in enumerate(_KNOWN)))
_PRIVATE = re.compile(
    r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\n|\s)*([0-9A-Za-z+/=\s\\]{40,}|(?:Proc-Type|Version)[^\n]*)"
)
_IN_ADDRESS = re.compile(
    r"\b(?:postgres(?:ql)?(?:\+\w+)?|mysql(?:\+\w+)?|mongodb(?:\+srv)?|rediss?|amqps?|https?|ftp|smtps?|mssql(?:\+\w+)?|ldaps?)://[\w.%+-]{0,60}:([^\s:/@'\"<>{}$]{3,100})@([\w.-]{1,100})"
)
_NAMED = re.compile(
    r"(?P<name>[\w.-]{0,40}?(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|encryption[_-]?key|signing[_-]?key|private[_-]?key|credential|passphrase|apikey|(?<![a-z])pass(?![a-z]))[\w-]{0,20})"
    r"[\"'\]]{0,2}(?P<sign>[ \t]*(?::=|=>|=|:)[ \t]*|[ \t]*:[ \t]*\w{1,20}(?:<\w+>)?[ \t]*=[ \t]*|\", ?|', ?)(?:[bru]|@|String\.from\()?[\"'`](?P<value>[^\"'`\n]{4,200})[\"'`]",
    re.IGNORECASE,
)
_SET = re.compile(
    r"^[ \t]*(?:export[ \t]+|ENV[ \t]+|ARG[ \t]+|-[ \t]+|set[ \t]+)?(?P<name>[\w.-]{0,40}?(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|(?<![A-Z])PASS(?![A-Z])|secret_?key|password|passwd|api_?key|secret|token)[\w-]{0,20})"
    r"(?P<sign>[ \t]*[:=][ \t]*|[ \t]+)(?P<value>[^\s\"'`#<>{}$()\[\],;]{6,200})[ \t]*(?:#.*)?$",
    re.MULTILINE,
)
_ON_COMMAND = re.compile(r"(?:\s-p|--password[= ]|sshpass -p ?|-u ?\w+:|PGPASSWORD=|IDENTIFIED BY ['\"])(?P<value>[^\s'\"<>$;]{6,60})")
_IN_TEXT = re.compile(r"\b(?:Password|PASSWORD|Pwd|password|pwd)=(?P<value>[^;\"'\s&<>{}$%]{5,60})(?=[;\"'])")
_LOGIN = re.compile(r"\.(?:login|authenticate|auth)\(\s*[\"'][^\"'\n]{1,80}[\"'],\s*[\"'](?P<value>[^\"'\n]{6,80})[\"']")
_BEARER = re.compile(r"\bBearer\s+(?P<value>[0-9A-Za-z._~+/-]{20,200})")
_AWS = re.compile(r"(?i)aws.{0,20}?(?:secret|sk).{0,20}?['\"= :]+(?P<value>[0-9A-Za-z/+]{40})\b")
_CODE_OF_SHELL = ("shell", "dockerfile", "yaml", "ini", "console", "toml", "nginx", "sql", "terraform", "", "text")
_PLACEHOLDER = re.compile(
    r"your|xxx|example|change|placeholder|dummy|fake|sample|redact|insert|replace|here|todo|\.\.\.|…|\*\*\*|<\w|^<|^[{$]|\$\{|\$\(|\{\{|%[sd(]|^(?:test|foo|bar|none|null|true|false|password|secret|token|string|default|value|empty|unset|undefined|disabled|required|optional|invalid|hidden|n/a)|"
    r"not[-_ ]?(?:a|real|set|secure)|mock|1234567890|^0+$|abc-?123|012345|env\b|getenv|environ|vault|demo|my[-_]|^\W+$|_?key_?id|dev[-_]only|insecure|redacted|-here|^the[-_]|s3cr3t_in_docs",
    re.IGNORECASE,
)
_NO_TOKEN = re.compile(r"x{4,}|your|example|placeholder|dummy|fake|redact|\*\*\*|\.\.\.|…|0{6,}|<", re.IGNORECASE)
_WORDS = re.compile(
    r"^[A-Za-z]+(?:[-_. /:]+[A-Za-z]*)*$|^[\w.-]+\.[a-z]{2,6}$|^(?:https?:|/|\./|[A-Za-z]:\\|--?\w|#|@|\.)|^[\w]+(?:\.[A-Za-z_]\w*)+$|\s|^[a-z]+(?:-[a-z0-9]+)*$|^\w+\[|^\^|^&"
)
_MEANS_OTHER = re.compile(
    r"(?:field|name|label|type|url|uri|path|file|header|prefix|id|hint|text|title|param|error|message|msg|regex|pattern|format|length|policy|placeholder|input|selector|column|class|algorithm|help|env|var|scheme|kind|"
    r"endpoint|expir\w+|count|limit|budget|per|max|min|usage|validator|arn|ref|version|mode|style|template|key_?prefix|attribute|element|kwarg|option|list|set|tokens|secrets|passwords|keys|credentials)$|^(?:tokens?|end_?token|start_?token|eos|bos|pad|unk|mask|sep|next|page|csrf|max|num|total|input|output|prompt|completion|cancel|stop)_?\w*token|tokeni[sz]|(?:^|_)(?:no|without|invalid|bad|wrong|test|fake|dummy|mock|expected|default|hashed|encrypted)_",
    re.IGNORECASE,
)
_HASHED = re.compile(r"^\$(?:2[aby]|argon2\w*|5|6|pbkdf2)|^(?:sha256|pbkdf2|argon2|scrypt|\{SHA)", re.IGNORECASE)
_PATTERN = re.compile(r"\\[bdws]|\[\^?\w-|\(\?|\.\*")
"""A regular expression is no secret."""
_STRONG = re.compile(r"pass|pwd", re.IGNORECASE)
_LONGEST = 4000
"""Longer lines are data, and are looked at in part."""


def secrets(reading: Reading) -> Iterator[Finding]:
    given = f"{reading.question}\n" + "\n".join(reading.subject.files.values())
    plain = {block.line + offset for block in reading.blocks if block.language in _CODE_OF_SHELL for offset in range(len(block.lines))}
    found = [*_private_keys(reading.answer)]
    for number, line in enumerate(reading.answer.splitlines(), 1):
        text = line[:_LONGEST]
        if _HINTS.search(text):
            found += [(kind, value, number) for kind, value in _tokens(text)]
        if _NAMES.search(text):
            found += [("hard-coded secret", value, number) for value in _assigned(text, number in plain)]
    for kind, value, number in found:
        yield _finding(reading, (kind, value), number, "warning" if value in given else "error")  # the user's own secret is no news to him


def _finding(reading: Reading, what: tuple[str, str], start: int, severity: Severity) -> Finding:
    kind, value = what
    shown = f"{value[:4]}…{value[-2:]}" if len(value) > 12 else f"{value[:2]}…"
    return Finding(
        "secret",
        severity,
        place_of(reading, start),
        f"There is a {kind} in the answer.",
        "Read it from the environment or from a secret store. If it is real, replace it.",
        shown,
    )


def _private_keys(text: str) -> Iterator[tuple[str, str, int]]:
    for found in _PRIVATE.finditer(text) if "PRIVATE KEY" in text else ():
        if not _NO_TOKEN.search(found[1]) and len(set(found[1])) > 12:
            yield "private key", found[0][:30], text.count("\n", 0, found.start()) + 1


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for found in _TOKENS.finditer(text):
        index = int((found.lastgroup or "k0")[1:])
        if not _NO_TOKEN.search(found[0]) and (_entropy(found[0]) > 2.8 or index == 0):
            yield _KNOWN[index][0], found[0]
    for found in _IN_ADDRESS.finditer(text):
        if _is_password(found[1]) and not re.match(r"(?:\w+\.)*example\.|user$|host", found[2]):
            yield "password in an address", found[1]
    for found in _BEARER.finditer(text):
        if _is_random(found["value"]) and not _is_placeholder(found["value"]):
            yield "token", found["value"]
    for found in _LOGIN.finditer(text):
        if _is_password(found["value"]):
            yield "password", found["value"]
    for found in _AWS.finditer(text):
        if not _is_placeholder(found["value"]):
            yield "AWS secret key", found["value"]


def _assigned(text: str, is_plain: bool) -> Iterator[str]:
    for found in _NAMED.finditer(text):
        if _is_secret(found["name"], found["value"]) and not _is_comparison(text, found.end()):
            yield found["value"]
    for pattern in (_SET, _ON_COMMAND, _IN_TEXT) if is_plain else (_IN_TEXT,):
        for found in pattern.finditer(text):
            name = found.groupdict().get("name") or "password"
            if _is_secret(name, found["value"]) and not found["value"].startswith(("-", "/")):
                yield found["value"]


def _is_comparison(text: str, end: int) -> bool:
    """Whether what looks like a value is one of several words, as in a list of labels."""
    return text[end : end + 1] == "]" or bool(re.match(r"\s*\?", text[end : end + 3]))


def _is_secret(name: str, value: str) -> bool:
    if (
        _PATTERN.search(value)
        or _MEANS_OTHER.search(name)
        or _is_placeholder(value)
        or _HASHED.match(value)
        or value.lower() in name.lower()
    ):
        return False
    return (
        _is_password(value)
        if _STRONG.search(name)
        else _is_random(value) or (len(value) >= 8 and _is_password(value) and _mixes(value) > 1)
    )


def _is_placeholder(value: str) -> bool:
    return bool(_PLACEHOLDER.search(value)) or len(set(value)) <= 3


def _is_password(value: str) -> bool:
    """Whether it may be a password: no plain word, no path, no sentence."""
    return not _is_placeholder(value) and not _WORDS.search(value) and len(value) >= 5 and _mixes(value) > 1 and not _HASHED.match(value)


def _mixes(value: str) -> int:
    """How many kinds of characters it mixes: letters, digits, signs."""
    return sum(bool(re.search(pattern, value)) for pattern in (r"[A-Za-z]", r"\d", r"[^\w\s.-]"))


def _is_random(value: str) -> bool:
    return (
        len(value) >= 16
        and not re.search(r"\s", value)
        and _entropy(value) > 3.3
        and bool(re.search(r"\d", value))
        and not re.match(r"[\w./-]+\.\w{1,4}$|https?:", value)
    )


def _entropy(value: str) -> float:
    """Bits in a character, by how often each stands in the value."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())

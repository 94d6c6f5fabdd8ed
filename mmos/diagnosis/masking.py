"""Masks secrets in the text of a log, so that no model and no journal sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mmos.key_forms import KEY_FORMS

MASK = "[masked]"

_FORMATS = re.compile(
    "|".join(form for _, form in KEY_FORMS)
    + r"|(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{20,}|xapp-[\w-]{10,}|pypi-[\w-]{16,}"  # those that a log has cut
    r"|(?<![A-Za-z0-9])sk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{20,}|(?<![A-Za-z0-9])sk-(?:or-v1-)?[0-9a-f]{32,}"  # OpenAI, Anthropic and others
    r"|(?<![A-Za-z0-9])(?:hf|gsk|r8|npm|nvapi|xai|pplx)[_-][A-Za-z0-9]{30,}"  # Hugging Face, Groq, Replicate, npm, NVIDIA, xAI, Perplexity
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # JSON web tokens
    r"|(?<=hooks\.slack\.com/services/)[\w/-]{16,}|(?<=/api/webhooks/)\d{8,}/[\w-]{20,}"
)
_KEY_BLOCK = re.compile(
    r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)(.*?)(-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)", re.DOTALL
)
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY")
_KEY_ENDS = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY")
_KEY_LENGTH = 120
"""A key has no more lines."""
_KEY_LINE = re.compile(r"(?m)^(\s*)(?=[^\n]*[a-z])(?=[^\n]*[A-Z])(?=[^\n]*\d)[A-Za-z0-9+/]{60,76}={0,2}$")
"""A line of a private key whose first line was not selected. The digest of a file has no capital letters."""
_USER_IN_URL = re.compile(r"(?<=://)([^\s/:@\"'<>]{0,200}):([^\s/@\"'<>]{1,400})@")
_TOKEN_IN_URL = re.compile(r"(?<=://)[A-Za-z0-9_.~-]{20,400}(?=@)")
_HEADER = re.compile(
    r"(?i)\b((?:(?:proxy-)?authorization|(?:private|job|deploy|x(?:-\w{1,20}){0,3})-(?:token|key|secret))[\"']?\s*[:=]\s*[\"']?"
    r"(?:(?:bearer|basic|token|digest|negotiate|apikey)\s+)?+)(?!\*|\[masked)[^\s\"',;]{4,}"
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)(?=[^\s\"']*[\d._~+/-])[\w.~+/=-]{12,}")
_COOKIE = re.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*:\s*)(?=[^\n]*=)[^\n\"]{4,}")
_CODE_IN_URL = re.compile(r"(?i)([?&](?:\w{0,20}[_-])?(?:key|sig|signature|auth|jwt|sas)=)(?!\[masked|%5Bmasked)[^\s&\"'<>#]{8,}")
_OPTION = re.compile(r"(?<!\S)(sshpass\s+-p\s*|mysql(?:dump|admin)?\s(?:[^\n]{0,100}?\s)?-p)(?!\[masked)[^\s\"']{2,}")
"""Options of programs that take a password without saying so. A space after the `-p` of MySQL begins something else."""
_NAMED_BEFORE = re.compile(
    r"(?i)(\blogin\s+\S{1,100}\s+password\s+|\bpass(?:word|phrase|code)\s+(?:is|was|(?:for|of)\s[^\n:]{1,60}:)\s+|(?<!\S)--auth[ =])"
    r"(?!\[masked)(?=\S*\d)[^\s\"']{4,}"
)
"""A netrc file, and sentences. A word without a digit, as in `password is wrong`, is none."""
_VARIABLE = re.compile(
    r"(?<![A-Za-z0-9])([A-Z][A-Z0-9_]{0,60}_(?:KEY|PASS|PAT|AUTH|SALT|DSN)\s{0,2}[=:]\s{0,2}[\"']?)"
    r"(?=[^\s\"']*\d)(?![$%<]|\[masked)[^\s\"',;]{8,}"
)
"""Variables in the output of `env`: a value with a digit. `CACHE_KEY` is masked, too: that costs less than a key that is shown."""
_CURL_USER = re.compile(r"(?<!\S)((?:-u|--user)[ =][\"']?[^\s:\"']{1,100}:)[^\s\"']{2,}")
_PLACEHOLDER = (
    r"(?!\*{2,}|\[masked|[\"']?(?:null|none|nil|true|false|undefined|required|optional|empty|redacted|hidden)\b|"
    r"\$|%|<|\{\{|process\.env|os\.|secrets\.)"
)
_NAMES = (
    r"passw(?:or)?d|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"signing[_-]?key|encryption[_-]?key|account[_-]?key|credentials?"
)
_ASSIGNED = re.compile(
    rf"(?i)(?<!unexpected )(?<!invalid )(?<!illegal )(?<!unknown )(?<!missing )((?:{_NAMES})(?![a-z])(?:[_.-]\w{{1,30}})?)"
    rf"(\\?[\"']?\s{{0,4}}(?:=>|:=|=|:)\s{{0,4}}){_PLACEHOLDER}(\\?[\"'][^\"'\n]{{1,400}}\\?[\"']|[^\s\"',;&)}}\]]{{3,400}})"
)
_FLAG = re.compile(rf"(?i)((?<!\S)--?[\w-]{{0,30}}(?:{_NAMES})\s+){_PLACEHOLDER}(?!-)([^\s\"']{{3,}}|[\"'][^\"'\n]{{1,400}}[\"'])")
_AFTER_A_NAME = (_CODE_IN_URL, _HEADER, _BEARER, _COOKIE, _CURL_USER, _OPTION, _NAMED_BEFORE, _VARIABLE, _FLAG)
_EXAMPLE = re.compile(r"example|x{4,}|0{6,}|your|fake|dummy|placeholder|\.\.\.", re.IGNORECASE)
_SURE_NAME = re.compile(r"(?i)passw|passphrase|pwd|secret")


def mask(text: str) -> str:
    """The text with every secret that has a known form, or a telling name before it, replaced."""
    text = _KEY_BLOCK.sub(rf"\1{MASK}\3", text)
    text = _KEY_LINE.sub(rf"\1{MASK}", text)
    text = _FORMATS.sub(MASK, text)
    if "://" in text:
        text = _TOKEN_IN_URL.sub(MASK, _USER_IN_URL.sub(rf"\1:{MASK}@", text))
    for pattern in _AFTER_A_NAME:
        text = pattern.sub(rf"\1{MASK}", text)
    return _ASSIGNED.sub(_assigned, text)


def keys(text: str) -> Iterator[tuple[int, int]]:
    """Where the text has a key of a known form. Examples of documentation are none."""
    for pattern in (_KEY_BLOCK, _FORMATS):
        yield from (found.span() for found in pattern.finditer(text) if not _EXAMPLE.search(found[0]))


def key_lines(texts: Sequence[str]) -> set[int]:
    """The indexes of the lines that are the inside of a private key. `mask` alone sees only one line of it."""
    found: set[int] = set()
    left = 0
    for index, text in enumerate(texts):
        if _KEY_ENDS.search(text):
            left = 0
        elif left:
            found.add(index)
            left -= 1
        elif _KEY_BEGINS.search(text):
            left = _KEY_LENGTH
    return found


def _assigned(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    if not _secret(name, between, value):
        return found[0]
    quote = value[: len(value) - len(value.lstrip("\\\"'"))]
    return f"{name}{between}{quote}{MASK}{quote}"


def _secret(name: str, between: str, value: str) -> bool:
    """Whether the value is one, and not a word of a sentence such as `token: expected`."""
    sure = _SURE_NAME.match(name) is not None
    bare = value.strip("\"'\\")
    if "=" in between or "'" in between or '"' in between:
        return len(bare) >= 3 and (sure or not bare.isdigit()) and not bare.startswith(("(", "[", "=")) and "(" not in value.strip("\"'\\")
    if value != bare:
        return len(bare) >= 3 and " " not in bare and any(letter.isdigit() for letter in bare)
    varied = any(letter.isdigit() for letter in bare) and any(letter.isalpha() for letter in bare)
    return varied and len(bare) >= (6 if sure else 12) and "(" not in bare

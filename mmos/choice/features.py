"""Finds in a request what tells the kinds of tasks apart: its words, where they stand, and its form."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmos.choice.lexicon import GROUPS_OF, stem, stems_of, words_of
from mmos.choice.request import ENDS, Request

Features = dict[str, str]
"""Names of features, each with what stands for it in the text."""

HAS_CODE, HAS_REPORT, ASKS = "it has code", "it has an error message", "it asks"
IS_NO_QUESTION, NAMES_NO_CODE = "it is no question", "it names no code"
SIGNS = frozenset({HAS_CODE, HAS_REPORT, ASKS, IS_NO_QUESTION, NAMES_NO_CODE})
"""What is said of the form of a request. Everything else that stands for a feature is a word of the user."""
BOTH = " … "
"""What stands between the words of a pair."""
_CALL = re.compile(r"[A-Za-z_][\w.]*\(\)?$")
_NAME = re.compile(r"(?=.*[a-z])[A-Za-z_]+(?:[._][A-Za-z_]\w*)+$|[a-z]{2,}\d*[A-Z]\w*$|_\w+$")
_ERROR = re.compile(r"[A-Z]\w*(?:Error|Exception|Warning|Fault)s?$")
_TITLE = re.compile(r"[A-Z]+[a-z0-9]+[A-Z]\w*$|[a-z][A-Z]{2,}\w*$")
"""A class, or a product: `UserService`, `PlayStation`."""
_SETTING = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)+$")
_FILE = re.compile(r"[\w./-]+\.(?:py|js|ts|tsx|jsx|java|go|rs|rb|cpp|cc|c|h|cs|php|html|css|sql|sh|ya?ml|json|toml|txt|csv|ipynb)$")
_DOCUMENT = re.compile(r"[\w./-]+\.(?:md|rst)$", re.IGNORECASE)
_PLACE = re.compile(r"(?:task|line|exercise|step|lab|question|problem|q)s?-?\d+", re.IGNORECASE)
_LANGUAGES = words_of(
    "python java javascript typescript c c++ c# go golang rust ruby php kotlin swift bash sql scala r perl html css mysql "
    "node.js lua matlab"
)
_COURTESY = stems_of(
    "please pls plz hi hello hey thank thanks you ok okay so then now can could would will kindly also just we i me need want "
    "to like i'd help let's lets briefly simply good morn yes well dear again and but sorry first lastly finally next"
)
_PRODUCTS = words_of(
    "macos ios github gitlab postgresql mysql mongodb fastapi openai langchain pytorch graphql youtube powershell vscode "
    "numpy latex pycharm intellij rabbitmq sqlalchemy wordpress devops nosql oauth jquery websocket webrtc javascript "
    "typescript node.js next.js vue.js asp.net opentelemetry huggingface deepseek bigquery dynamodb"
)
"""Names of products that look like names in code."""
_OURS = words_of("app application project repo repository codebas plugin servic server modul system packag program websit backend frontend")
_TYPES = words_of("feat fix docs refactor perf test chore style build ci security bugfix hotfix bug")
_MINE = words_of("my your our this these following below above given here")
_PLACES = words_of("line lin task exercis step question problem number lab")
_PARTS = words_of("function method variabl class loop statement algorithm")
_ARTICLES = words_of("the your each and")
_PLAIN = words_of("a an the this that following given same new simpl whole first second main two")
_HEADS = words_of("create fix tidy docs inspect secure ask code")
_PAIRED = ("code", "names", "question", "asks", "place", "mine", "part", "general", "report", "scope", "proper", "title")
_PAIRED_GROUPS = ("any:docs", "any:page", "any:secure", "any:fix", "any:tidy", "any:create", "any:code", "any:concept")
_PAIRS = (
    ("question", "code"),
    ("question", "names"),
    ("question", "general"),
    ("question", "any:fix"),
    ("asks", "general"),
    ("asks", "names"),
    ("asks", "place"),
    ("asks", "part"),
    ("asks", "mine"),
    ("asks", "proper"),
    ("asks", "title"),
    ("any:secure", "code"),
    ("any:fix", "code"),
    ("statement", "scope"),
)
_ABSENT = ("create", "fix", "tidy", "docs", "inspect", "secure")
_FORMS_OF_NAMES = (("<error>", _ERROR), ("<call>", _CALL), ("<name>", _NAME), ("<title>", _TITLE), ("<setting>", _SETTING))


@dataclass(frozen=True)
class Tokens:
    """The words of a request, and of each its kind: its stem, or what it is, such as `<name>`."""

    words: tuple[str, ...]
    kinds: tuple[str, ...]
    heads: tuple[int, ...]
    """Where each clause begins, after greetings and words of courtesy. The first is where the request begins."""
    scope: str
    """What stands in brackets before the words, as in `[ui] add a button`."""

    def groups(self, index: int) -> tuple[str, ...]:
        return GROUPS_OF.get(self.kinds[index], ())


def tokens_of(request: Request) -> Tokens:
    scope, words = _without_scope(request.words)
    kinds = tuple(_kind(word) for word in words)
    return Tokens(words, kinds, _heads(kinds), scope)


def features_of(request: Request, tokens: Tokens) -> Features:
    found: Features = {}
    _add_scope(found, tokens)
    _add_words(found, tokens)
    _add_heads(found, tokens)
    _add_groups(found, tokens)
    _add_form(found, request, tokens)
    _add_names(found, tokens)
    _add_pairs(found)
    return found


def _without_scope(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The scope in brackets at the start, as in `[ui] add a button`, and the words after it."""
    if words and words[0].startswith("["):
        return words[0].strip("[]").lower(), words[1:]
    return "", words


def _kind(word: str) -> str:
    if word in ENDS:
        return word
    if word.startswith(("`", "http://", "https://", "[")):
        return {"`": "<quoted>", "h": "<url>", "[": "<bracket>"}[word[0]]
    if word[:4].lower() in ("cve-", "cwe-"):
        return word[:3].lower()
    if word.lower() in _PRODUCTS:
        return "<product>" if word.lower() not in _LANGUAGES else "<language>"
    if _DOCUMENT.match(word):
        return "<document>"
    if _FILE.match(word):
        return "<file>"
    if _PLACE.match(word):
        return "<place>"
    if word[0].isdigit() or word[0] == "#":
        return "<number>"
    if word.lower() in _LANGUAGES and (word != "r" and word != "go"):
        return "<language>"
    return next((kind for kind, form in _FORMS_OF_NAMES if form.match(word)), None) or stem(word)


def _heads(kinds: tuple[str, ...]) -> tuple[int, ...]:
    heads: list[int] = []
    searching = True
    for index, kind in enumerate(kinds):
        if kind in ENDS:
            searching = True
        elif searching and kind not in _COURTESY and kind != "<bracket>":
            heads.append(index)
            searching = False
    return tuple(heads)


def _add_scope(found: Features, tokens: Tokens) -> None:
    if scope := tokens.scope:
        found["scope"] = f"[{scope}]"
        for group in GROUPS_OF.get(stem(scope), ()):
            found[f"scope:{group}"] = f"[{scope}]"
    kind = tokens.words[0].lower().rstrip("(") if tokens.words else ""
    if kind in _TYPES and (":" in tokens.kinds[1:3] or tokens.words[0].endswith("(")):
        found[f"type:{kind}"] = f"{kind}:"


def _add_words(found: Features, tokens: Tokens) -> None:
    words, kinds = tokens.words, tokens.kinds
    for index, kind in enumerate(kinds):
        if kind in ENDS:
            continue
        found.setdefault(f"w:{kind}", words[index])
        if index and kinds[index - 1] not in ENDS:
            found.setdefault(f"b:{kinds[index - 1]} {kind}", f"{words[index - 1]} {words[index]}")


def _add_heads(found: Features, tokens: Tokens) -> None:
    words, kinds = tokens.words, tokens.kinds
    for number, head in enumerate(tokens.heads):
        place = "clause" if number else "head"
        found.setdefault(f"{place}:{kinds[head]}", words[head])
        for group in tokens.groups(head):
            found.setdefault(f"{place}:{group}", words[head])
        if not number and head + 1 < len(kinds) and kinds[head + 1] not in ENDS:
            found[f"head:{kinds[head]} {kinds[head + 1]}"] = f"{words[head]} {words[head + 1]}"
    if len(kinds) > 1 and kinds[0] in ("can", "could", "would", "will") and kinds[1] in ("you", "we", "i"):
        found[f"asked:{kinds[1]}"] = f"{words[0]} {words[1]}"


def _add_groups(found: Features, tokens: Tokens) -> None:
    head = tokens.heads[0] if tokens.heads else 0
    for index in range(len(tokens.kinds)):
        for group in tokens.groups(index):
            found.setdefault(f"any:{group}", tokens.words[index])
            if index > head:
                found.setdefault(f"later:{group}", tokens.words[index])
    for group in _ABSENT:
        if f"any:{group}" not in found:
            found[f"no:{group}"] = f"no word of {group}"


def _add_form(found: Features, request: Request, tokens: Tokens) -> None:
    if request.has_code:
        found["code"] = HAS_CODE
    if request.has_report:
        found["report"] = HAS_REPORT
    if request.asks:
        found["question"] = ASKS
    for number, head in enumerate(tokens.heads):
        if "ask" in tokens.groups(head):
            found.setdefault("later_asks" if number else "asks", tokens.words[head])
    if not found.keys() & {"question", "asks", "later_asks"}:
        found["statement"] = IS_NO_QUESTION
    size = sum(kind not in ENDS for kind in tokens.kinds)
    name = next(name for name, most in (("none", 0), ("few", 3), ("short", 11), ("middle", 39), ("long", 10_000)) if size <= most)
    found[f"size:{name}"] = f"{size} words"


def _add_names(found: Features, tokens: Tokens) -> None:
    """What the request says about a certain piece of code: its name, its place, or whose it is."""
    words, kinds = tokens.words, tokens.kinds
    for index, kind in enumerate(kinds):
        if words[index].lower() in _MINE:
            found.setdefault("mine", words[index])
        if kind == "<place>":
            found.setdefault("place", words[index])
        if kind in _PLACES and kinds[index + 1 : index + 2] == ("<number>",):
            found.setdefault("place", f"{words[index]} {words[index + 1]}")
        if kind in _OURS and index and kinds[index - 1] in ("the", "our", "thi", "my", "this", "your"):
            found.setdefault("mine", f"{words[index - 1]} {words[index]}")
        if index and kinds[index - 1] not in ENDS and (kind == "<product>" or (_is_proper(words[index]) and kind not in ENDS)):
            found.setdefault("proper", words[index])
        if kind in _PARTS and index > 1 and kinds[index - 1] not in _PLAIN and kinds[index - 2] in _ARTICLES:
            found.setdefault("part", f"{words[index - 1]} {words[index]}")
    for name in ("w:<call>", "w:<name>", "w:<file>", "w:<quoted>"):
        if name in found:
            found.setdefault("names", found[name])
    for name in ("w:<title>", "w:<setting>"):
        if name in found:
            found.setdefault("title", found[name])
    if not found.keys() & {"code", "names", "mine", "report", "place", "part"}:
        found["general"] = NAMES_NO_CODE


def _is_proper(word: str) -> bool:
    """Whether it is the name of a product, a place or a person: a word with a capital."""
    return len(word) > 2 and word[0].isupper() and word[1:].islower()


def _add_pairs(found: Features) -> None:
    """Pairs: a question about code is not a question about an idea."""
    heads = [f"head:{group}" for group in sorted(_HEADS) if f"head:{group}" in found]
    for name in (*_PAIRED, *_PAIRED_GROUPS):
        if name in found:
            for head in heads or ["head:other"]:
                found[f"{head}+{name}"] = f"{found[head]}{BOTH}{found[name]}" if head in found else found[name]
    for one, other in _PAIRS:
        if one in found and other in found:
            found[f"{one}+{other}"] = f"{found[one]}{BOTH}{found[other]}"

"""Groups the words that tell kinds of tasks apart."""

from __future__ import annotations

GROUPS: dict[str, str] = {
    "create": (
        "write create generate implement build design develop construct code compose make define produce add introduce support "
        "enable allow expose provide integrate extend set-up setup scaffold program print output draw solve simulate train "
        "complete feature feat new init initial emit hook put-together whip script prototype provision generator gimme collect "
        "permit configurable wire bootstrap"
    ),
    "fix": (
        "fix debug correct repair resolve troubleshoot handle prevent avoid ensure bug bugfix hotfix broken crash hang fail "
        "failure error exception wrong incorrect invalid missing regression leak deadlock segfault mistake issue problem "
        "properly correctly traceback stacktrace flaky workaround restore revert cannot can't doesn't won't isn't wasn't didn't "
        "aren't don't not-working stuck lost unexpected duplicate ignored race null nil undefined stale break broke expected "
        "always never twice forever immediately anymore suddenly <error> sometimes randomly blank nan freeze investigate "
        "diagnose guard overlap cause solve"
    ),
    "tidy": (
        "refactor rewrite optimize optimise simplify clean cleanup tidy restructure reorganize reorganise extract rename move "
        "split merge inline replace consolidate unify deduplicate dedupe decouple migrate port convert translate transform "
        "modernize modernise shorten reduce remove drop delete unused redundant dead legacy deprecated reuse switch rework "
        "flatten separate isolate standardize normalize pull push swap collapse fold hoist encapsulate decompose centralise "
        "centralize generalise generalize parametrize untangle streamline polish shrink beautify restructuring eliminate factor "
        "restyle speed tune composition ugly spaghetti fewer compact shorter cleaner faster readable readability efficient "
        "elegant pythonic idiomatic modular duplication refactoring improve"
    ),
    "docs": (
        "readme documentation document doc docs docstring javadoc jsdoc comment changelog tutorial guide quickstart faq wiki "
        "manual typo handbook docblock swagger description kdoc rustdoc doxygen godoc tsdoc openapi glossary onboarding "
        "specification cheat-sheet spelling grammar wording contributing runbook sphinx mkdocs cookbook walkthrough annotate"
    ),
    "page": (
        "guidance faq screenshot link page notebook section reference sidebar badge note website blog instruction roadmap "
        "example heading integration community"
    ),
    "inspect": (
        "explain describe analyze analyse review evaluate assess compare determine predict trace walk summarize summarise "
        "interpret understand feedback critique rate opinion overview walk-through big-o examine inspect printed output role "
        "purpose meaning complexity explanation principle analysis"
    ),
    "secure": (
        "security secure vulnerability vulnerable exploit exploitable attack attacker injection xss csrf ssrf cve cwe owasp "
        "pentest penetration sanitize sanitise escape credential secret privilege escalation traversal overflow bypass hacker "
        "threat harden mitigate mitigation brute scripting deserialization redact malicious unsafe insecure crypto sensitive "
        "xxe jwt reentrancy forge hack hacked idor clickjacking malware backdoor intrusion tls pen threat-model encrypt "
        "encryption exposed advisory researcher cryptography use-after-free out-of-bounds dereference spoof tamper"
    ),
    "code": (
        "code function method class script program snippet loop algorithm variable line parameter module query array string "
        "list regex statement expression implementation struct interface component file test api endpoint argument constructor "
        "decorator"
    ),
    "ask": "what why how which who when where is are does do did can could should would will was were am whose",
    "concept": (
        "concept difference definition advantage disadvantage example meaning best popular recommend version port default "
        "supported free install installation license"
    ),
    "fast": "quick quickly briefly short simple simply just",
}
"""The words of each group. A word may stand in several."""


def words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WHOLE = words_of("wording meaning missing string thing nothing something anything everything spring during pricing")
"""Their endings are no endings."""


def stem(word: str) -> str:
    """A word without its usual endings, so that `fixes`, `fixed` and `fixing` are one."""
    word = word.lower().replace("’", "'")
    if len(word) > 4 and word not in _WHOLE:
        for ending, instead in (("ies", "y"), ("ing", ""), ("ied", "y"), ("ed", ""), ("es", ""), ("s", "")):
            if word.endswith(ending) and not word.endswith(("ss", "us", "is")):
                word = word[: -len(ending)] + instead
                break
        if len(word) > 3 and word[-1] == word[-2] and word[-1] in "bdgmnprt":
            word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def stems_of(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


def _by_stem() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for group, words in GROUPS.items():
        for known in {stem(word) for word in words.split()}:
            found[known] = (*found.get(known, ()), group)
    return found


GROUPS_OF = _by_stem()
"""The groups of each stem."""

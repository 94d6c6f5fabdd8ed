"""Says of a line what it is to a reader who looks for the cause of a failure: a cause, a test, a summary, a place, or nothing."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from mmos.diagnosis.phrases import CAUSES, DOUBTS, FAILURES, HARMLESS, NAMES_OF_FAULTS, WHOLE_CAUSES

LOOKED_AT = 500
"""So many characters of a line are looked at."""


class Kind(Enum):
    """What a line is to a reader who looks for the cause of a failure."""

    CAUSE = "cause"
    TEST = "test"
    ASSERTION = "assertion"
    SUMMARY = "summary"
    MESSENGER = "messenger"
    """It says that something failed, and not what: `Process completed with exit code 1`."""
    START = "start"
    """What follows explains a failure."""
    WORDS = "words"
    PLACE = "place"
    STEP = "step"
    NOISE = "noise"
    NOTHING = "nothing"


class Mark(NamedTuple):
    kind: Kind
    weight: float


NOTHING = Mark(Kind.NOTHING, 0.0)
WARNING = Mark(Kind.NOISE, 0.8)
_FILE = r"(?:[A-Za-z]:)?[^\s:()'\"]{0,200}\.[A-Za-z]\w{0,7}"
_AT = rf"{_FILE}[:(]\d+(?:[:,.-]\d+)*\)?"

_PASSED = re.compile(
    r"=== (?:RUN|PAUSE|CONT|NAME)\b|--- (?:PASS|SKIP)\b|PASS(?:ED)?\b(?!.*FAIL)|ok \d+|ok\s+\S+\s+[\d.(]|\[ +(?:OK|RUN) +\]|\[ok\]|[✓✔√☑✅]"
)
_PROGRESS = re.compile(
    r"(?:Compiling|Download(?:ing|ed)|Checking|Building|Installing|Collecting|Fetching|Unpacking|Setting up|Preparing|Get:\d+|Updating|"
    r"Creating|Generating|"
    r"Copying|Linking|Selecting|Processing|Extracting|Requirement already|Using cached|added|Adding|create mode|delete mode|Receiving|"
    r"Resolving"
    r"|remote: (?:Counting|Compressing|Enumerating)|\[ *\d+%\]|\[\d+/\d+\]) (?!.*(?:[Ee]rror|[Ff]ail\w*|ERROR|FAILED)\b:?)"
)
_SCRIPT = re.compile(
    r"(?:export |set -|if \[|elif |else$|fi$|done$|echo |#!|# (?! *(?:Failed|at |got|expected|Looks))|//|/\*|\* @|\+ echo)"
)
_OK_AT_END = re.compile(
    r"(?:\.{2,} ?|\s|…|\))(?:ok|passed|skipped|ignored|success|succeeded|xfail|xfailed)\s*(?:\[ *\d+%\]|\([\d.]+ ?m?s\))?$"
)
_ALL_PASSED = re.compile(
    r"\b\d+ (?:tests? )?pass(?:ed|ing)\b|\bbuild succe(?:ss|eded)|\ball (?:\w+ )?(?:tests?|checks?|jobs?) (?:have )?(?:passed|succeeded)\b"
    r"|^test result: ok\b|^tests?: +[1-9]\d* passed"
)
_FAILED_TOO = re.compile(r"fail|error|\bbroken\b")
_COUNT = re.compile(r"\b[1-9]\d* (?:\w+ )?(?:errors?|fail)|(?:errors?|fail\w*)[:=] ?[1-9]")
_ZERO = re.compile(
    r"\b0 (?:\w+ )?(?:errors?|failures?|failed|failing)\b|\b(?:errors?|failures?|failed)\b ?[:=] ?0\b|\bno errors?\b|without errors?"
    r"|^\W?\w+[\"']?: (?:false|true|null|undefined|none|\"\"|''|\[\]|0),?$"
)
_WARNING = re.compile(
    rf"(?:##\[(?:warning|debug|notice)\]|::(?:warning|notice|debug)|npm warn|w: |\(node:\d+\)|\d+:\d+ +warning\b|"
    rf"(?:{_AT}:? ?(?:- )?)?\[?(?:warning|warn|debug|trace|info|note|hint|notice)\b\]?(?!.*\b(?:failed|failure|fatal|error:|exception|"
    rf"denied|refused|data race|code style issues)\b)|"
    r".{0,100}(?:deprecation|future|user|runtime|resource|syntax|import)warning\b|.{0,120}\bdeprecat)"
)
_MESSENGER = re.compile(
    r"process completed with exit code|"
    r"(?:exited|failed|finished|terminated|completed|stopped|ended|returned|crashed|died|quit)(?: \w+)?(?: with| on)?(?: a|"
    r" an)?(?: non-?zero)?"
    r"(?: exit)?(?: code| status| value)\b|\bexit(?:ed)?(?: with)?(?: code| status)?[:= (]{1,3}-?[1-9]\d*\b|returned (?:a )?non-?zero|"
    r"make(?:\[\d+\])?: \*\*\* |^command failed|elifecycle|error command failed|script returned exit|error: job failed|"
    r"error: test run failed|"
    r"marked build as failure|ninja: build stopped|\bprocess exited\b|^exit status [1-9]|build did not complete"
)
_MESSAGES = (
    "exit",
    "code",
    "status",
    "value",
    "returned",
    "***",
    "elifecycle",
    "job failed",
    "test run failed",
    "as failure",
    "stopped",
    "did not",
    "command failed",
)
_SUMMED_UP = ("fail", "error", "problem", "tests run", "test run", "compile", "aborting", "ran ", "modified by")
_SUMMARY = re.compile(
    r"\b[1-9]\d*(?:/\d+| of \d+)? (?:[a-z]+ ){0,2}(?:failed|failing|failures?|errors?|problems?)\b(?! \d)(?!: )|\b(?:failures?|failed|"
    r"errors)\b ?[:=] ?[1-9]|"
    r"test result: failed|^failed \(|^build fail|\bcould not compile\b|aborting due to|error: aborting|^fail!|tests? failed:|^failed tasks|"
    r"^result: fail|"
    r"^ran [1-9]\d* (?:of \d+ )?(?:specs|tests)|\b\d+ tests? run\b|^fail\s+\S+\s+(?:[\d.]+s|\[)|^fail$|^tests:\s.*failed|"
    r"^test suites:.*failed|"
    r"the following tests failed|^failing tests:|^failed!|^tests? \S+ failed$|files were modified by this hook"
)
_TEST = re.compile(
    r"--- FAIL: |FAILED:? [\w./\\\[(]|FAIL:? +[\w./\\\[(]|ERROR:? [\w./]+\.py|ERROR: test_|\[(?:FAILED|FAIL)\]|not ok \d|\[ +FAILED +\]|"
    r"rspec \./|"
    r"\d+\) (?!.*:$)\S|[✕✗✘✖❌×●] +\S|• \[(?:FAILED|PANICKED|TIMEDOUT)|test .* \.\.\. (?:FAILED|failed|mismatch)|_{4,} .* _{4,}$|"
    r"\[ERROR\] +\S+[.#:]\S+|Failed \S+ \[|FAILURE: \S|Test (?:Failed|Case .* failed)|\d+/\d+ Test +#\d+: .*\*\*\*|=+ (?:FAIL|ERROR): "
)
_TEST_AT_END = re.compile(
    r" FAILED$|[.…]Failed$|\.{3} (?:FAIL|ERROR|FAILED)\b|\bFAIL(?:ED)? +\[ *[\d.]+m?s\]|\*\*\*(?:Failed|Exception|Timeout)|<<< (?:FAILURE|"
    r"ERROR)!|\bFAILED: "
)
_COMPILER = re.compile(
    rf"(?:\S+ )?{_AT}:? ?(?:- )?(?:\w+ )?(?:fatal |syntax |parse |internal compiler )?error\b|"
    r"(?:fatal |internal compiler |syntax |parse |type )?error(?:\[\w+\]| \w{2,8}\d+)?: (?!could not compile|aborting)|"
    r"e: (?:file:|\S+\.kt)|E +\S|\* What went wrong:|[│╷] Error: |CMake Error|ERROR in |\[ERROR\] (?:.*\.(?:java|kt|scala):|COMPILATION|"
    r"Failed to execute goal)|"
    r"\d+:\d+ +error\b|Error: |error - |ERROR: |ERROR +\S+.*:|npm (?:ERR!|error) |E: |fatal: |FATAL:? |panic: |\*\* \(|curl: \(\d+\)|gh: |"
    r"ld(?:\.\w+)?: |"
    r"Caused by: |Exception in thread|Uncaught|Unhandled|! \[(?:remote )?rejected\]|CONFLICT \(|thread '[^']*' .*panicked at|\w*ERR_\w+|"
    r"YN\d{4}: .*[Ee]rror|"
    r"remote: (?!.*(?:\d+%|https?://|Total|Resolving|Create a pull))|(?:Execution failed for|FAILURE: Build|A problem occurred|"
    r"Failure/Error: )"
)
_EXCEPTION = re.compile(
    rf"(?:\w+: )?(?:[\w$/-]{{1,60}}(?:\.|::|\\)){{0,12}}[A-Z]\w{{0,60}}{NAMES_OF_FAULTS}\b(?=[:\s(\[]|$)(?!\(\)? as)|"
    rf"\S+:\d+: [A-Z]\w*(?:Error|Exception|Failure)$"
)
_ASSERTION = re.compile(
    r"(?:expected|received|actual|got|want(?:ed)?|left|right|but (?:was|got)|diff|difference)\b[^:]{0,20}:|assert(?:ion)?\b|error trace:|"
    r"error:\s|messages?:\s|"
    r"to (?:equal|be|receive|contain|match|have)\b|expected$"
)
_ASSERTED = re.compile(
    r"\bassert\w*\b.*fail|\bfail\w* assert|\bexpected\b.*\b(?:but|got|found|received|actual|was|to (?:be|equal|have|contain|match|"
    r"include))\b"
)
_START = re.compile(
    r"traceback \(most recent|stack backtrace:|=+ (?:failures|errors) =+|failures?:$|failed tests?:|summarizing \d+ fail|there w(?:as|"
    r"ere) [1-9]\d* (?:fail|error)|-+ captured|goroutine \d+ \[running|"
    r"the above exception|during handling of"
)
_LEVEL = re.compile(
    r"(?:level|severity|lvl)[\"']?[=:] ?[\"']?(?:error|fatal|critical|panic)|\[(?:error|fatal|critical|severe)\]|^E\d{4} \d\d:|\b(?:ERROR|"
    r"FATAL|CRITICAL|SEVERE)\b(?![\w/.-])"
)
_TAG = re.compile(r"(?:##\[error\]|::error(?: [^:]*)?::|##vso\[task\.logissue type=error[^\]]*\])")
_FRAME = re.compile(
    rf"""
    File\ "[^"]+",\ line\ \d+ | at\ \S.*[(:]\S*\d+\)?$ | at\ (?:async\ )?[\w.$<>\[\]/]+(?:\ \[as\ \w+\])?\ ?\( | -->\ \S+:\d+ | \#\d+\s+0x | \#\d+\s+\S
    | {_AT}(?::|\)|$|\ |,) | \d+:\s+0x | \s*from\ {_FILE}:\d+ | In\ \[\w+\]\ at: | on\ .+\.tf\ line\ \d+ | ❯\ \S+:\d+ | In\ \S+\ line\ \d+: | in\ `?\w+'?$
    | \d*\s*\|\s | ╭|╰|│ | [~^]+\s*$ | Running\ command
    """,
    re.VERBOSE,
)
_SOURCE = re.compile(r"\d*\s*\|\s")
_LISTED = re.compile(r"\d{1,3}\) [\w(]|rspec \./|[A-Z]{1,4}\d{3,4} (?:\[\*\] )?\S")
"""A failed test, or a finding of a linter, in a list."""
_STRANGE_FRAME = re.compile(
    r"site-packages|dist-packages|node_modules|/rustc/|\.cargo/registry|node:internal|internal/|<frozen|/usr/(?:lib|local/go)|"
    r"/opt/hostedtoolcache|"
    r"java\.base|jdk\.internal|org\.junit|sun\.reflect|org\.gradle|core::|std::|runtime/|testing\.go|vendor/"
)


def mark(text: str) -> Mark:
    """What a line with a telling word is, without what a tool wrote before it."""
    text = text[:LOOKED_AT]
    tagged = _TAG.match(text)
    if tagged:
        inner = mark(text[tagged.end() :])
        return inner if inner.kind is Kind.MESSENGER else Mark(Kind.CAUSE, max(9.0, inner.weight))
    if _SOURCE.match(text):
        return Mark(Kind.PLACE, 3.0)
    small = text.lower()
    return _noise(text, small) or _verdict(text, small) or _cause(text, small) or _words(text, small) or NOTHING


def passed(text: str) -> bool:
    """Whether the line says that all went well."""
    small = text[:LOOKED_AT].lower()
    return _ALL_PASSED.search(small) is not None and not _FAILED_TOO.search(_ZERO.sub("", small))


def place(text: str) -> Mark:
    """Whether a line without a telling word is a frame of a trace, or another place in the sources."""
    if _LISTED.match(text):
        return Mark(Kind.PLACE, 4.0)
    if _FRAME.match(text[:LOOKED_AT]):
        return Mark(Kind.PLACE, 1.0 if _STRANGE_FRAME.search(text) else 3.0)
    return NOTHING


def _noise(text: str, small: str) -> Mark | None:
    if _PASSED.match(text) or _PROGRESS.match(text) or _SCRIPT.match(text):
        return Mark(Kind.NOISE, 0.0)
    if passed(small):
        return Mark(Kind.NOISE, 0.0)
    good = "0" in small or "no error" in small or "without error" in small or ": " in small
    if (_OK_AT_END.search(small) or (good and _ZERO.search(small))) and not _COUNT.search(small):
        return Mark(Kind.NOISE, 0.0)
    if _WARNING.match(small):
        return WARNING
    if any(phrase in small for phrase in HARMLESS) and not _EXCEPTION.match(text):
        return Mark(Kind.NOISE, 1.5)
    return None


def _verdict(text: str, small: str) -> Mark | None:
    """What a test runner or a build says in the end."""
    if any(word in small for word in _MESSAGES) and _MESSENGER.search(small):
        return Mark(Kind.MESSENGER, 6.0)
    if _TEST.match(text) or _TEST_AT_END.search(text):
        return Mark(Kind.TEST, 8.5)
    return Mark(Kind.SUMMARY, 7.0) if any(word in small for word in _SUMMED_UP) and _SUMMARY.search(small) else None


def _cause(text: str, small: str) -> Mark | None:
    if _COMPILER.match(text) or _EXCEPTION.match(text):
        return Mark(Kind.CAUSE, 10.0)
    if any(phrase in small for phrase in CAUSES) or WHOLE_CAUSES.search(small):
        return Mark(Kind.CAUSE, 9.0)
    if _ASSERTION.match(small) or _ASSERTED.search(small):
        return Mark(Kind.ASSERTION, 7.0)
    return None


def _words(text: str, small: str) -> Mark | None:
    if _START.match(small):
        return Mark(Kind.START, 5.0)
    if _LEVEL.search(text):
        return Mark(Kind.CAUSE, 8.0)
    if FAILURES.search(small):
        return Mark(Kind.WORDS, 5.0)
    return Mark(Kind.WORDS, 3.5) if DOUBTS.search(small) else None

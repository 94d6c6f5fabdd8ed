"""Words by which tools say what went wrong, in small letters."""

from __future__ import annotations

import re

CAUSES = (
    # compilers and linkers
    "undefined reference to", "unresolved external", "undefined symbol", "multiple definition of", "cannot find -l", "cannot find symbol",
    "no matching function", "does not name a type", "was not declared", "no rule to make target", "undefined: ", "undeclared ",
    "imported and not used", "imported but unused", "and not used", "but not used", "never used", "not assignable to",
    "incompatible types", "type mismatch",
    "mismatched types", "does not exist on type", "redefinition of", "unterminated", "unexpected token", "unexpected end of",
    "syntax error",
    # interpreters
    "is not defined", "is not a function", "has no attribute", "cannot read propert", "nil pointer", "null pointer", "index out of",
    "no module named", "cannot find module", "cannot find package", "module not found", "unbound variable", "is not recognized as",
    "cannot import name", "undefined method", "undefined local variable", "undefined function", "division by zero",
    # the shell and the machine
    "command not found", "executable file not found", "no such file or directory", "no such host", "permission denied",
    "operation not permitted",
    "segmentation fault", "core dumped", "sigsegv", "sigkill", "sigabrt", "out of memory", "outofmemory", "oom-kill", "oomkill",
    "heap out of",
    "no space left", "disk quota", "cannot allocate", "stack overflow", "bus error", "sanitizer: ", "runtime error:", "data race",
    "double free",
    "assertion failed", "assertion error", "panicked at", "read-only file system", "too many open files", "device or resource busy",
    "address already in use", "eaddrinuse", "broken pipe",
    # time
    "timed out", "deadline exceeded", "exceeded the maximum", "has exceeded", "exceeded timeout", "operation was canceled",
    "operation was cancelled",
    # the network
    "connection refused", "connection reset", "econnre", "enotfound", "etimedout", "eai_again", "could not resolve",
    "failure in name resolution",
    "network is unreachable", "certificate verify", "certificate has", "certificate signed", "x509", "self signed", "self-signed",
    "tls handshake",
    "server misbehaving", "bad gateway", "service unavailable",
    # rights
    "access denied", "denied to", "not accessible by", "authentication failed", "authentication required", "bad credentials",
    "unauthorized",
    "requested url returned error", "could not read username", "rate limit", "too many requests", "toomanyrequests", "quota exceeded",
    "protected branch", "not authorized", "insufficient_scope", "requested access to the resource is denied", "invalid credentials",
    # packages
    "no matching distribution", "no matching version", "no matching package", "could not find a version", "resolutionimpossible",
    "conflicting dep",
    "no solution found", "eresolve", "version solving failed", "checksum mismatch", "hash mismatch", "hashes are required",
    "integrity check",
    "frozen-lockfile", "lockfile is not up", "needs to be updated", "manifest unknown", "pull access", "incompatible with",
    "unmet dependenc",
    "peer dep", "requires-python", "unsupported engine", "is not in the npm registry", "unable to locate package",
    # containers and clouds
    "crashloopbackoff", "imagepullbackoff", "errimagepull", "failedscheduling", "probe failed", "failed to solve", "did not become ready",
    "already exists", "invalid reference format", "not found in manifest", "state lock", "invalid for_each", "unsupported argument",
    "unsupported attribute",
    # formatters
    "would reformat", "not formatted", "needs formatting", "not properly formatted", "code style issues", "diff in /", " not met",
    " not reached", "files were modified by this hook",
    "please run ", "is not up to date", "out of date", "uncommitted changes", "you have unstaged", "merge conflict",
)  # fmt: skip
"""A line with one of these most likely names a cause."""

WHOLE_CAUSES = re.compile(
    r"(?<![\w./-])(?:killed|denied|forbidden|deadlock|quota|rejected|segfault|oom|enoent|eacces|eperm|enospc|enomem|unhealthy|"
    r"unreachable)(?![\w/-]|\.\w)|"
    r": not found$|\b(?:http|status|code)\W{1,3}(?:status|code|error)?\W{0,3}[45]\d\d\b"
)
"""The same for words that are also parts of names."""

FAILURES = re.compile(
    r"(?<![\w./\\-])(?:errors?|fail(?:ed|s|ure|ures|ing)?|fatal|exception|crash(?:ed)?|abort(?:ed|ing)?|panic)(?![\w/\\-]|\.\w)"
)
"""Words that say that something failed, and no part of a name."""

DOUBTS = re.compile(
    r"(?<![\w./\\-])(?:cannot|can't|could not|couldn't|unable to|invalid|not found|unexpected|unknown|unsupported|refused|undefined|"
    r"conflicts?|exceed(?:ed|s)|"
    r"does not|doesn't|not allowed|not permitted|must be|(?:is|are) required|required by|corrupt(?:ed)?|broken|missing|terminated|"
    r"cancell?ed|mismatch)(?![\w/\\-]|\.\w)"
)
"""Words that may say why."""

NAMES_OF_FAULTS = r"(?:Error|Exception|Failure|Fault|Interrupt|Timeout|Violation|Rejected|Refused|Denied|NotFound|Exit)"
"""How names of exceptions end."""

STRICT = (
    "treated as errors",
    "too many warnings",
    "warnings were emitted",
    "--fail-on-warning",
    "-werror",
    "warnings found and",
    "error-on-warning",
)
"""Words of a tool that fails because of warnings."""

HARMLESS = (
    "retrying", "will retry", "trying again", "ignoring", "(ignored)", "non-fatal", "nonfatal", "continuing anyway", "expected failure",
    "as expected", "expected error", "expected exception",
    "allowed to fail", "continue-on-error", "if-no-files-found", "fail-fast", "failfast", "on-error", " onerror", "fail_under",
    "if present",
    "skipped", "skipping", "does not exist, creating", "does not exist, installing",
)  # fmt: skip
"""A line with one of these speaks of a failure that does no harm, or of none."""

STEMS = (
    "error", "fail", "except", "panic", "fatal", "abort", "crash", "broken", "corrupt", "invalid", "illegal", "unexpected", "expect",
    "assert", "actual",
    "received", "diff", "mismatch", "undefined", "undeclared", "declared", "unresolved", "redefin", "unbound", "recognized", "cannot",
    "can't", "couldn",
    "could", "unable", "unknown", "unsupported", "found", "missing", "require", "exist", "conflict", "denied", "refused", "rejected",
    "forbidden", "authori",
    "authenti", "credential", "permission", "permitted", "accessible", "protected", "allowed", "timed", "timeout", "deadline", "exceed",
    "cancel", "terminat",
    "kill", "sigs", "sigk", "siga", "segmentation", "segfault", "memory", "oom", "quota", "limit", "toomany", "allocate", "overflow",
    "sanitizer",
    "deadlock", "econn", "eai_", "enoent", "eacces", "eperm", "enospc", "enomem", "enotfound", "etimedout", "eaddrinuse", "eresolve",
    "resolve", "resolution",
    "unreachable", "certificate", "x509", "signed", "handshake", "gateway", "unavailable", "unhealthy", "busy", "read-only", "unused",
    "assignable",
    "incompatible", "unterminated", "division", "solution", "checksum", "integrity", "lockfile", "manifest", "unmet", "backoff",
    "scheduling", "formatted",
    "reformat", "modified", "uncommitted", "unstaged", "traceback", "backtrace", "caused", "wrong", "unhandled", "uncaught", "exit",
    "elifecycle",
    "stopped", "problem", "goroutine", "captured", "err_", "err!", "yn0", "##[e", "***", "____", "\u2715", "\u2717", "\u2718", "\u2716",
    "\u274c",
    "remote:",
)  # fmt: skip
"""A line whose words contain none of these, and are none of the next ones, is not looked at.
Their search is cheap, since a log has few different words."""
WHOLE_STEMS = (
    "not", "such", "e", "e:", "|", "left:", "right:", "want", "want:", "got", "got:", "!", "**", "***", "\u00d7", "\u25cf", "\u2022",
    "space", "heap", "core",
    "many", "match", "matching", "attribute", "nil", "module", "used", "used.", "read.", "symbol", "reference", "rule", "race", "pipe",
    "reset", "peer",
    "locate", "probe", "style", "please", "merge", "import", "http", "(http", "date", "up-to-date", "returned", "severe", "critical",
    "name", "tests",
    "specs", "tests:", "nonzero", "non-zero", "gh:", "ld:", "curl:",
)  # fmt: skip

STRONG_STEMS = (
    b"error", b"fail", b"except", b"panic", b"fatal", b"abort", b"denied", b"refused", b"cannot", b"unable to", b"not found", b"timed out",
    b"killed",
    b"traceback", b"no such",
)  # fmt: skip
"""The same where nearly every line of a long log is new: their search costs a nanosecond a byte each."""

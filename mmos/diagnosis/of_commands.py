"""The signs of commands that failed: builds, tests, deployments."""

from __future__ import annotations

from mmos.diagnosis.signs import Sign

_SURE = 0.75
"""A command may say such words on its way, and fail for another reason."""

COMMANDS = (
    Sign("DISK_FULL", (r"no space left on device", r"\benospc\b", r"disk quota exceeded", r"not enough (free )?(disk )?space\b", r"there is not enough space on the disk"), confidence=_SURE),
    Sign(
        "PORT_IN_USE",
        (
            r"address already in use[^\n]{0,40}?:(?P<address_port>\d{2,5})\b",
            r"port (?P<taken_port>\d{2,5}) (is )?(already )?(in use|occupied|taken|allocated)",
            r"bind for [\d.]+:(?P<docker_port>\d{2,5}) failed: port is already allocated",
            r"address already in use|eaddrinuse|only one usage of each socket address",
        ),
        confidence=_SURE,
    ),
    Sign(
        "OUT_OF_MEMORY_KILLED",
        (
            r"out of memory: killed process|oom-?killed|by the oom[ -]killer|memory cgroup out of memory",
            r"javascript heap out of memory|java\.lang\.outofmemoryerror|gc overhead limit exceeded",
            r"cannot allocate memory|^memoryerror\b|virtual memory exhausted|llvm error: out of memory",
            r"fatal error: killed signal terminated program",
        ),
        confidence=_SURE,
    ),
    Sign("MERGE_CONFLICT", (r"conflict \((content|add/add|modify/delete|rename)", r"automatic merge failed", r"fix conflicts and then commit", r"could not apply [0-9a-f]{7,}"), confidence=_SURE),
    Sign(
        "NAME_NOT_RESOLVED",
        (
            r"(could not|couldn't|cannot|can't|unable to|failed to) resolve host(name)?:? '?(?P<curl_name>[\w.-]{1,100})",
            r"getaddrinfo (enotfound|eai_again) (?P<node_name>[\w.-]{1,100})",
            r"lookup (?P<go_name>[\w.-]{1,100})[^\n]{0,60}: no such host",
            r"could not translate host name '(?P<postgres_name>[\w.-]{1,100})'",
            r"temporary failure in name resolution|name or service not known|nodename nor servname provided|unknownhostexception",
        ),
        confidence=_SURE,
    ),
    Sign(
        "CERTIFICATE_INVALID",
        (r"certificate[_ ](verify[_ ]failed|has expired|is not (yet )?(valid|trusted)|signed by unknown authority)", r"unable to get local issuer certificate", r"self[- ]signed certificate", r"\bx509: ", r"ssl certificate problem", r"pkix path building failed"),
        confidence=_SURE,
    ),
    Sign("NETWORK_UNREACHABLE", (r"network is unreachable", r"no route to host", r"\behostunreach\b", r"\benetunreach\b"), confidence=_SURE),
    Sign(
        "COMMAND_NOT_FOUND",
        (
            r": '?(?P<shell_name>[\w./+-]{1,60})'?: (command )?not found$",
            r"'(?P<windows_name>[\w.+-]{1,60})' is not recognized as (an internal|the name)",
            r"exec(?:utable)?:? '?(?P<go_name>[\w./-]{1,80})'?: executable file not found in \$path",
            r"command not found: (?P<zsh_name>[\w.-]{1,60})",
        ),
        confidence=_SURE,
    ),
    Sign(
        "DEPENDENCY_UNRESOLVED",
        (
            r"no matching distribution found|could not find a version that satisfies|resolutionimpossible",
            r"\beresolve\b|unmet peer dependency|npm err! 404|npm error 404",
            r"could not resolve (all )?(dependencies|artifacts|files for configuration)|could not find artifact",
            r"no matching package named|failed to select a version for",
            r"unable to locate package|no solution found when resolving",
            r"cannot find module providing package|unknown revision ",
            r"lockfile[^\n]{0,40}(out of date|needs to be updated|not up to date)|err_pnpm_outdated_lockfile",
        ),
        confidence=_SURE,
    ),
    Sign(
        "IMPORT_ERROR",
        (
            r"(modulenotfounderror|importerror)[^\n]{0,40}no module named '?(?P<name>[\w.]{1,80})",
            r"importerror: (?P<so_name>[\w+-]{1,60}\.so[\w.]{0,20}): cannot open shared object",
            r"importerror: cannot import name '(?P<imported_name>[\w.]{1,80})",
            r"cannot find module '(?P<node_name>[\w@./-]{1,120})'",
            r"error while loading shared libraries: (?P<shared_name>[\w.+-]{1,80})|noclassdeffounderror: (?P<class_name>[\w./$]{1,120})",
        ),
        confidence=_SURE,
    ),
    Sign("SYNTAX_ERROR", (r"^[^\w\n]*(e {2,})?(syntaxerror|indentationerror|taberror): (?![^\n]*\bjson\b)", r"syntax error near unexpected token", r"error: syntax error"), confidence=_SURE),
    Sign(
        "COMPILE_ERROR",
        (
            r"^[^\s:][^\n:]{0,200}:\d+:\d+: (fatal )?error:",
            r"\berror\[e\d{4}\]|\berror ts\d{4}:|\berror cs\d{4}:|\berror c\d{4}:",
            r"undefined reference to|linker command failed|ld returned 1 exit status",
            r"^[^\s:]{1,200}\.go:\d+:\d+: (?![^\n]*\((?!typecheck)[\w-]+\)$)|^e: (file://)?[^\s:]{1,200}\.kts?[: ]",
            r"\.java:\d+: error:|\.java:\[\d+,\d+\]|\[error\] compilation failure|could not compile '",
        ),
        unless=r"^test result: failed|--- fail: |^[^\w\n]*=+ [^\n]*\d+ failed",
        confidence=_SURE,
    ),
    Sign("PERMISSION_DENIED", (r"permission denied(?! \(publickey)", r"\beacces\b", r"operation not permitted", r"access is denied"), confidence=_SURE),
    Sign(
        "TEST_FAILED",
        (
            r"^[^\w\n]{0,4}(failed|error) [\w/.-]+::",
            r"--- fail: |^test result: failed",
            r"^[\w/.-]{1,200}\.py::[^\n]{1,200} (failed|error)( +\[ *\d+%\])?$",
            r"^[^\w\n]{0,4}fail(ed)?:? +[\w/.-]+\.(test|spec)\.\w+",
            r"^=+ [^\n]*\d+ failed",
            r"tests run: \d+, failures: [1-9]|^ *failure/error: |^\d+ examples?, [1-9]\d* failures?\b",
            r"^[^\w\n]{0,4}e? *assertionerror\b",
        ),
        confidence=_SURE,
    ),
)  # fmt: skip
"""The exact ones first: a test that fails because the disk is full says both."""

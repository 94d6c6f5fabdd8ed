"""Finds names in JavaScript, Go, Java and Rust that do not exist: packages, and names of the standard library."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from itertools import islice

from mmos.quality.answer import Block, Reading
from mmos.quality.finding import Finding, Severity
from mmos.quality.packages import is_npm
from mmos.quality.tables import ANY, names, table

_LONGEST, _MOST_IMPORTS = 200_000, 200
_COMMENTS = re.compile(r"/\*[\s\S]*?\*/|(?m:^[ \t]*(?://|\*)[^\n]*$)")
_JS_IMPORT = re.compile(
    r"^[ \t]*(?:import|export)\s{1,4}(?:type\s{1,4})?[\w*{}\s,$]{0,500}?(?:\bfrom\s{0,4})?[\"'](?P<a>[^\"'\n]{1,120})[\"']|\brequire\(\s{0,4}[\"'](?P<b>[^\"'\n]{1,120})[\"']\s{0,4}\)",
    re.MULTILINE,
)
_JS_BOUND = re.compile(
    r"(?:\b(?:const|let|var)\s+(?P<a>\w+)\s*=\s*require\(\s*[\"'](?:node:)?(?P<am>[\w/]+)[\"']\s*\)(?!\.)|^[ \t]*import\s+(?:\*\s+as\s+)?(?P<b>\w+)\s+from\s+[\"'](?:node:)?(?P<bm>[\w/]+)[\"'])",
    re.MULTILINE,
)
_JS_GLOBALS = re.compile(r"(?<![\w.$])(JSON|Math|Object|Array|Number|String|Promise|Reflect|Date|Atomics)\.([A-Za-z]\w*)\s*\(")
_JS_OWN = re.compile(
    r"^(?:[.~#/@$]|@/|src/|app/|components?/|lib/|utils?/|virtual:|node:|https?:|bun|deno|vscode|electron|aws-sdk|cloudflare:)"
)
_JS_LOCAL = re.compile(
    r"^(?:src|app|lib|utils?|components?|config|models?|services?|helpers?|common|shared|store|hooks|types|constants|assets|styles|pages|routes|server|client|db|test|tests|main|index|your-.*|my-.*|some-.*|example-.*|module-name|package-name|foo|bar|baz)(?:/|$)"
)
_TEXTS = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`")
_GO_IMPORTS = re.compile(r"^import\s+(?:\((?P<many>[^)]*)\)|(?:\w+\s+|\.\s+|_\s+)?\"(?P<one>[^\"\n]+)\")", re.MULTILINE)
_GO_IMPORT = re.compile(r"^[ \t]*(?:(?P<alias>[\w.]+)[ \t]+)?\"(?P<path>[^\"\n]+)\"", re.MULTILINE)
_JAVA_IMPORT = re.compile(r"^[ \t]*import\s+(?P<static>static\s+)?(?P<path>javax?(?:\.\w+)+?)\.(?P<name>\w+|\*)\s*;?[ \t]*$", re.MULTILINE)
_RUST_USE = re.compile(r"^[ \t]*use\s+(?P<crate>std|core|alloc)::(?P<module>\w+)", re.MULTILINE)
_RUST_NAMES = re.compile(r"\b(?P<crate>std|core|alloc)::(?P<module>\w+)::(?:(?P<name>\w+)|\{(?P<names>[^{}]{1,500})\})")
_RUST_OWN = re.compile(r"\b(?:std|core|alloc)\s*=|\bmod\s+(?:std|core|alloc)\b")
_RUST_STD = frozenset(
    ("alloc", "any", "arch", "array", "ascii", "assert_eq", "assert_matches", "async_iter", "autodiff", "backtrace", "bool", "borrow", "boxed", "bstr", "cell", "char", "clone", "cmp", "collections", "concat", "convert", "default", "env", "error", "f128", "f16", "f32", "f64", "ffi", "field", "fmt", "format", "from", "fs", "future", "hash", "hint", "i128", "i16", "i32", "i64", "i8", "intrinsics", "io", "isize", "iter", "keyword", "marker", "matches", "mem", "net", "num", "ops", "option", "os", "panic", "panicking", "pat", "path", "pin", "prelude", "primitive", "process", "ptr", "range", "rc", "result", "simd", "slice", "stream", "str", "string", "sync", "task", "thread", "time", "todo", "u128", "u16", "u32", "u64", "u8", "unimplemented", "unreachable", "unsafe_binder", "usize", "vec", "write", "writeln", "println", "print", "eprintln", "self", "random", "debug_assert", "unicode", "contracts", "thread_local", "include_str", "concat_idents", "rt", "test")
)  # fmt: skip
_RUST_MODULES = {
    module: frozenset(inside.split())
    for module, inside in {
        "collections": "BTreeMap BTreeSet BinaryHeap Bound HashMap HashSet LinkedList TryReserveError TryReserveErrorKind VecDeque binary_heap btree_map btree_set hash_map hash_set linked_list vec_deque",
        "cell": "BorrowError BorrowMutError Cell CloneFromCell LazyCell OnceCell Ref RefCell RefMut SyncUnsafeCell UnsafeCell",
        "rc": "Rc UniqueRc UniqueRcUninit Weak",
        "sync": "Arc Barrier BarrierWaitResult Condvar Exclusive LazyLock LockResult MappedMutexGuard MappedRwLockReadGuard MappedRwLockWriteGuard Mutex MutexGuard ONCE_INIT Once OnceLock OnceState PoisonError ReentrantLock ReentrantLockGuard RwLock RwLockReadGuard RwLockWriteGuard SyncView TryLockError TryLockResult UniqueArc WaitTimeoutResult Weak atomic mpmc mpsc nonpoison oneshot poison",
        "time": "Duration Instant SystemTime SystemTimeError TryFromFloatSecsError UNIX_EPOCH",
        "thread": "AccessError Builder JoinHandle LocalKey Result Scope ScopedJoinHandle Thread ThreadId add_spawn_hook available_parallelism current current_id current_os_id id local_impl panicking park park_timeout park_timeout_ms scope sleep sleep_ms sleep_until spawn spawnhook yield_now",
        "fs": "Dir DirBuilder DirEntry File FileTimes FileType Metadata OpenOptions Permissions ReadDir TryLockError canonicalize copy create_dir create_dir_all exists hard_link metadata read read_dir read_link read_to_string remove_dir remove_dir_all remove_file rename set_permissions set_permissions_nofollow set_times set_times_nofollow soft_link symlink_metadata try_exists write",
        "env": "Args ArgsOs JoinPathsError SplitPaths VarError Vars VarsOs args args_os consts current_dir current_exe home_dir join_paths remove_var set_current_dir set_var split_paths temp_dir var var_os vars vars_os",
        "process": "Child ChildStderr ChildStdin ChildStdout Command CommandArgs CommandEnvs CommandResolvedEnvs ExitCode ExitStatus ExitStatusError Output Stdio Termination abort abort_immediate exit id",
    }.items()
}  # fmt: skip
"""What is in some modules of `std`, whether stable or not."""


def other_names(reading: Reading) -> Iterator[Finding]:
    for block in reading.blocks:
        if (finder := _FINDERS.get(block.language)) and len(block.text) < _LONGEST:
            yield from finder(block, _COMMENTS.sub(lambda found: "\n" * found[0].count("\n"), block.text))


def _finding(block: Block, place: tuple[str, int], message: str, severity: Severity, near: str = "") -> Finding:
    text, start = place
    line = text.count("\n", 0, start) + 1
    quote = block.lines[line - 1].strip()[:120] if line <= len(block.lines) else ""
    cure = f"Perhaps {near} is meant." if near else "Use one that exists, or say where it comes from."
    return Finding("unknown_name", severity, block.at(line), message, cure, quote)


def _near(name: str, known: frozenset[str]) -> str:
    return next(iter(get_close_matches(name, known, 1, 0.75)), "")


def _javascript(block: Block, text: str) -> Iterator[Finding]:
    for found in _JS_IMPORT.finditer(text):
        path = found["a"] or found["b"]
        module = path.removeprefix("node:")
        if path.startswith("node:") and module not in table("javascript"):
            yield _finding(block, (text, found.start()), f"Node.js has no module {path}.", "error")
        elif not _is_js_package(path):
            yield _finding(block, (text, found.start()), f"{path} is no module of Node.js, and no package that is widely used.", "warning")
    for found in _JS_GLOBALS.finditer(text):
        yield from _missing_of(block, (text, found.start()), ("javascript", f".{found[1]}", found[1]), found[2])
    for bound in _JS_BOUND.finditer(text):
        name, module = bound["a"] or bound["b"], bound["am"] or bound["bm"]
        if names("javascript", module) and not re.search(rf"\b{re.escape(name)}\s*=(?!=|\s*require)|promisifyAll|mock\(", text):
            for used in re.finditer(rf"(?<![\w.$]){re.escape(name)}\.([A-Za-z]\w*)\s*\(", text):
                yield from _missing_of(block, (text, used.start()), ("javascript", module, module), used[1])


def _is_js_package(path: str) -> bool:
    if _JS_OWN.match(path) and not re.match(r"@[a-z]", path):
        return True
    module = path.split("/")[0]
    return (
        module in table("javascript")
        or is_npm(path)
        or bool(_JS_LOCAL.match(path))
        or "!" in path
        or bool(
            re.search(r"[A-Z]|\.\w+$|^@(?:my|your|app|company|acme|types|internal|scope|shared|common|components|lib|utils|org|src)", path)
        )
    )


def _missing_of(block: Block, place: tuple[str, int], owner: tuple[str, str, str], name: str) -> Iterator[Finding]:
    kind, module, title = owner
    defined = names(kind, module)
    if defined and name not in defined and ANY not in defined:
        yield _finding(block, place, f"{title} has no {name}.", "error", _near(name, defined))


def _go(block: Block, text: str) -> Iterator[Finding]:
    code = _TEXTS.sub(lambda found: " " * len(found[0]), text)
    for path, (alias, start) in islice(_go_imports(text).items(), _MOST_IMPORTS):
        if path in ("C", "unsafe", "embed", "plugin") or path in table("go"):
            yield from _go_names(block, code, path, alias)
        elif _looks_standard(path):
            message = f"The standard library of Go has no package {path}."
            yield _finding(block, (text, start), message, "error", _near(path, frozenset(table("go"))))


def _go_imports(text: str) -> dict[str, tuple[str | None, int]]:
    """Each imported path with its alias and its place."""
    imports: dict[str, tuple[str | None, int]] = {}
    for group in _GO_IMPORTS.finditer(text):
        is_list = group["many"] is not None
        inner, offset = (group["many"], group.start("many")) if is_list else (group[0].removeprefix("import"), group.start() + 6)
        for found in _GO_IMPORT.finditer(inner):
            imports.setdefault(found["path"], (found["alias"], offset + found.start()))
    return imports


def _looks_standard(path: str) -> bool:
    """Whether only the standard library has such a path: others begin with the name of a host."""
    first = path.split("/")[0]
    is_own = "." in first or "internal" in path or path.startswith(("cmd/", "vendor/"))
    return not is_own and ("/" not in path or any(known.startswith(f"{first}/") or known == first for known in table("go")))


def _go_names(block: Block, text: str, path: str, alias: str | None) -> Iterator[Finding]:
    name = alias or path.rpartition("/")[2]
    if (
        name in ("_", ".", "v2")
        or path == "C"
        or re.search(
            rf"\b{re.escape(name)}\s*(?::=|,[^\n]*:=)|\(\s*{re.escape(name)}\s+[*\w]|,\s*{re.escape(name)}\s+[*\[\]\w]|\bvar\s+{re.escape(name)}\b",
            text,
        )
    ):
        return
    for used in re.finditer(rf"(?<![\w.]){re.escape(name)}\.([A-Z]\w*)", text):
        yield from _missing_of(block, (text, used.start()), ("go", path, path), used[1])


def _java(block: Block, text: str) -> Iterator[Finding]:
    for found in _JAVA_IMPORT.finditer(text):
        package, name = found["path"], found["name"]
        root = ".".join(package.split(".")[:2])
        if package.startswith("javax") and root not in _JAVA_ROOTS:
            continue
        if package in table("java"):
            if name != ANY and not found["static"] and name not in names("java", package):
                yield _finding(
                    block, (text, found.start()), f"{package} has no class {name}.", "error", _near(name, names("java", package))
                )
        elif not found["static"] and package.rpartition(".")[0] not in table("java") and not package.rpartition(".")[2][:1].isupper():
            yield _finding(
                block, (text, found.start()), f"Java has no package {package}.", "error", _near(package, frozenset(table("java")))
            )


_JAVA_ROOTS = (
    "javax.crypto",
    "javax.net",
    "javax.swing",
    "javax.sql",
    "javax.security",
    "javax.imageio",
    "javax.management",
    "javax.naming",
    "javax.sound",
    "javax.print",
    "javax.script",
    "javax.tools",
)


def _rust(block: Block, text: str) -> Iterator[Finding]:
    for found in _RUST_USE.finditer(text):
        if found["module"] not in _RUST_STD and not found["module"].startswith("_"):
            yield _finding(
                block,
                (text, found.start()),
                f"{found['crate']} has no module {found['module']}.",
                "error",
                _near(found["module"], _RUST_STD),
            )
    for found in () if _RUST_OWN.search(text) else _RUST_NAMES.finditer(text):
        known = _RUST_MODULES.get(found["module"], frozenset())
        for name in _rust_names(found) if known else ():
            if name not in known:
                where = (text, found.start())
                yield _finding(block, where, f"{found['crate']}::{found['module']} has no {name}.", "error", _near(name, known))


def _rust_names(found: re.Match[str]) -> list[str]:
    """What a path or a `use` takes of a module."""
    if found["name"]:
        return [found["name"]]
    parts = [re.match(r"\w+", part.strip()) for part in found["names"].split(",")]
    return [part[0] for part in parts if part and part[0] not in ("self", "super")]


_FINDERS: dict[str, Callable[[Block, str], Iterator[Finding]]] = {
    "javascript": _javascript,
    "typescript": _javascript,
    "tsx": _javascript,
    "go": _go,
    "java": _java,
    "rust": _rust,
}

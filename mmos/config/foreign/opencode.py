"""Reads a configuration of OpenCode, `opencode.toml`: patterns of several models, models, providers and GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmos.config.document import Document
from mmos.config.foreign.draft import Draft, Part, spelled
from mmos.config.foreign.parts import capabilities, voting_of, weights, without_votes
from mmos.config.foreign.places import USUAL_ADDRESS, USUAL_STUDIO, Servers, valid_key
from mmos.config.foreign.words import AGGREGATES, KINDS, SHAPES, USUAL_VOTING, VALIDATED
from mmos.config.wording import listed, shown

KEYS = ("multi_model_patterns", "gpu", "models", "provider", "providers", "model", "default_model", "defaults", "orchestration")
PATTERN_KEYS = (
    "pattern", "enabled", "description", "models", "aggregator_model", "aggregation_strategy", "aggregation_prompt", "aggregate", "voting_strategy",
    "voting", "weights", "rag", "max_steps", "min_members", "deadline", "timeout", "samples", "validate", "quality_threshold",
)  # fmt: skip
MEMBER_KEYS = (
    "model", "provider", "system_prompt", "temperature", "max_tokens", "task", "prompt", "weight", "gpu_id", "gpu_ids", "vram_required_gb", "timeout",
    "name",
)  # fmt: skip
COPIED = tuple(key for key in MEMBER_KEYS if key not in ("model", "provider"))
GPU_KEYS = ("strategy", "vram_threshold_percent", "allow_shared_gpu", "auto_unload")
MODEL_KEYS = (
    "model", "name", "provider", "capabilities", "description", "max_tokens", "temperature", "context_window", "context_length", "memory_usage", "options",
    "family",
)  # fmt: skip
PROVIDERS = {**KINDS, "lmstudio": "lmstudio", "lm_studio": "lmstudio"}
"""What a provider is among ours."""
WHY_ARBITER = "The first model of the first pattern. OpenCode has no arbiter; it answers what is asked without a pattern."
RAG_KEYS = ("enabled", "collection", "top_k", "similarity_threshold", "embedding_model", "query_rewriting", "query_rewriting_method")
USUAL_REWRITING = "hyde"
REWRITINGS = {name: name for name in ("hyde", "expansion", "rewrite", "none")}


def translated(file: Document) -> Document:
    """The file in our keys."""
    draft = Draft(file, "OpenCode")
    reading = Reading(draft, Servers(draft))
    reading.root.only(*KEYS)
    reading.providers()
    reading.models()
    reading.gpu()
    for name, pattern in reading.root["multi_model_patterns"].named():
        if isinstance(pattern.value, dict):
            reading.pattern(name, pattern)
        else:
            pattern.note("this is no pattern, so it does nothing")
    reading.arbiter()
    reading.this_machine()
    return draft.document()


@dataclass
class Reading:
    draft: Draft
    servers: Servers
    defined: dict[str, str] = field(default_factory=dict)
    """The servers of the providers that the file defines."""
    keys: dict[str, str] = field(default_factory=dict)
    """Our names of the models that the file describes, by theirs."""
    described: dict[str, Part] = field(default_factory=dict)
    """What the file says of these models."""
    first: Part | None = None
    """The first member of the first pattern."""

    @property
    def root(self) -> Part:
        return self.draft.root

    # ---------------------------------------------------------------- providers and models

    def providers(self) -> None:
        """Providers with an address are servers."""
        for name, part in (*self.root["provider"].named(), *self.root["providers"].named()):
            options = part if part.first("url", "base_url", "baseURL", "endpoint", "host") else part["options"]
            kind = part["type"].one_of(KINDS) or KINDS.get(spelled(name), "openai")
            if kind == "embedded" or not options:
                part.note("a provider without an address does nothing; write its base_url")
            else:
                self.defined[name] = self.servers.of(options, kind, name=valid_key(name, self.servers.named.values()))

    def models(self) -> None:
        for name, part in self.root["models"].named():
            part.only(*MODEL_KEYS)
            key = self.keys[name] = valid_key(name, self.keys.values())
            self.described[name] = part
            place, model = ("models", key), part.first("model", "name")
            self.draft.put((*place, "model"), model.text() or name, model or part)
            for field_name in ("description", "max_tokens", "memory_usage", "family"):
                part[field_name].copy(place)
            self._options(place, part)
            part.first("context_window", "context_length").copy(place, "context_window")
            capabilities(part["capabilities"], place)

    def _options(self, place: tuple[str, str], part: Part) -> None:
        temperature = part["temperature"]
        if temperature and (type(temperature.value) not in (int, float) or not 0 <= temperature.value <= 10):
            temperature.wrong("a number from 0 to 10")
        for _, option in (*part["options"].named(), ("temperature", temperature)):
            option.copy((*place, "options"))

    def gpu(self) -> None:
        part = self.root["gpu"]
        part.only(*GPU_KEYS)
        for key in GPU_KEYS:
            part[key].copy(("gpu",))

    def arbiter(self) -> None:
        """Each of our files has an arbiter."""
        named = self.root.first("model", "default_model")
        part = named or self.first or next((part for _, part in self.root["models"].named()), None)
        if part is None:
            self.root.complain(
                "the file names no model below multi_model_patterns, models or model; to use another configuration, name it with -c"
            )
        elif named:
            provider, slash, model = named.text().partition("/")
            is_split = bool(slash) and (provider in self.defined or spelled(provider) in PROVIDERS)
            self.draft.put(("arbiter", "model"), model if is_split else named.text(), named)
            if is_split and provider in self.defined:
                self.draft.put(("arbiter", "server"), self.defined[provider], named)
        else:
            self._first_as_arbiter(part)

    def _first_as_arbiter(self, part: Part) -> None:
        """The model of a member, or of the first entry of `models`, without what the member is told."""
        if self.first is None:
            self.draft.put(("arbiter", "model"), next(iter(self.keys.values())), part, WHY_ARBITER)
            return
        model = part["model"] if isinstance(part.value, dict) else part
        self.draft.put(("arbiter", "model"), self.keys.get(model.text(), model.text()), model, WHY_ARBITER)
        if (provider := part["provider"].text()) in self.defined:
            self.draft.put(("arbiter", "server"), self.defined[provider], part["provider"])

    # ---------------------------------------------------------------- patterns

    def pattern(self, name: str, part: Part) -> None:
        part.only(*PATTERN_KEYS)
        key = valid_key(name, self.draft.data.get("patterns", {}))
        if key != name:
            part.note(f"a pattern cannot have this name, so it is '{key}'")
        place = ("patterns", key)
        if not part["pattern"]:
            part.complain(f"'pattern' is missing; it is required here: {listed(SHAPES)}")
        shape = without_votes(part["pattern"].one_of(SHAPES) or "sequential", part.first("voting_strategy", "voting"))
        self.draft.put((*place, "pattern"), shape, part["pattern"])
        self.draft.origins["orchestration", *place] = part.place
        self.draft.put((*place, "models"), [], part["models"] or part)
        if not part["models"].entries():
            part.complain("the pattern has no models; name at least one")
        for entry in part["models"].entries():
            self._member(key, entry)
        self._values(place, shape, part)
        weights(part["weights"], key, "model")
        if part["rag"] and part["rag"]["enabled"].value is not False:
            self._rag((*place, "rag"), part["rag"])

    def _rag(self, place: tuple[str, ...], part: Part) -> None:
        """What the members read of the library. Its documents are elsewhere, and MMOS cannot read them there."""
        part.only(*RAG_KEYS)
        self.draft.put(place, {}, part)
        for key in ("collection", "top_k", "similarity_threshold", "embedding_model"):
            part[key].copy(place)
        if part["query_rewriting"].value is True:
            method = part["query_rewriting_method"]
            self.draft.put((*place, "query_rewriting"), method.one_of(REWRITINGS) or USUAL_REWRITING, method or part["query_rewriting"])
        name = part["collection"].text()
        part.note(f"MMOS has its own library. Add the documents again: mmos rag add PATH{f' -C {shown(name)}' if name else ''}")

    def _values(self, place: tuple[str, str], shape: str, part: Part) -> None:
        for key in ("enabled", "description", "aggregation_prompt", "max_steps", "min_members", "samples", "validate", "quality_threshold"):
            part[key].copy(place)
        part.first("deadline", "timeout").copy(place, "deadline")
        if model := part["aggregator_model"].text():
            self.draft.put((*place, "aggregator_model"), self.keys.get(model, model), part["aggregator_model"])
        how, count = part.first("aggregation_strategy", "aggregate"), part.first("voting_strategy", "voting")
        voting, choice = voting_of(count)
        aggregate = how.one_of(AGGREGATES) or choice
        if not aggregate and voting and shape == "ensemble":
            aggregate = "vote"
        if aggregate:
            self.draft.put((*place, "aggregate"), aggregate, how or count)
        if voting or shape == "voting" or aggregate == "vote":
            usual = "weighted" if part["weights"] else USUAL_VOTING
            self.draft.put((*place, "voting"), voting or usual, count or part["pattern"])
        if spelled(part["pattern"].text()) == VALIDATED:
            self.draft.put((*place, "validate"), True, part["pattern"])

    def _member(self, key: str, part: Part) -> None:
        part.only(*MEMBER_KEYS)
        self.first = self.first or part
        place = ("patterns", key, "models", len(self.draft.data["patterns"][key]["models"]))
        model = part.first("model") if isinstance(part.value, dict) else part
        if not model:
            part.complain("'model' is missing; it is required here")
        self.draft.put((*place, "model"), self.keys.get(model.text(), model.text()), model)
        self.draft.origins["orchestration", *place] = part.place
        known = self.described.get(model.text())
        self._provider(place, known["provider"] if known is not None and not part["provider"] else part["provider"])
        for name in COPIED:
            part[name].copy(place)

    def _provider(self, place: tuple[str | int, ...], part: Part) -> None:
        """A provider with an address is a server. Another one means any server of its kind."""
        if not part:
            return
        if part.text() in self.defined:
            self.draft.put((*place, "server"), self.defined[part.text()], part)
            return
        provider = part.one_of(PROVIDERS)
        if provider == "lmstudio":
            self._studio(part)
        if provider:
            self.draft.put((*place, "provider"), provider, part)

    def _studio(self, part: Part) -> None:
        """LM Studio listens at one usual address of this machine. A file that names it needs no address."""
        if "studio" not in self.servers.named.values():
            self.servers.named["openai", USUAL_STUDIO] = "studio"
            self.draft.put(("servers", "studio", "url"), USUAL_STUDIO, part)
            self.draft.put(("servers", "studio", "kind"), "openai", part)

    def this_machine(self) -> None:
        """If the file says nothing of an Ollama, that of this machine is meant, also beside other servers."""
        servers, patterns = self.draft.data.get("servers", {}), self.draft.data.get("patterns", {})
        members = [member for pattern in patterns.values() for member in pattern["models"]]
        is_meant = any("server" not in member and member.get("provider", "ollama") == "ollama" for member in members)
        if servers and is_meant and all("kind" in server for server in servers.values()):
            self.draft.put(("servers", valid_key("local", servers), "url"), USUAL_ADDRESS, self.root["multi_model_patterns"])

"""Warns of keys of patterns that do nothing where they stand, and of what no server of the file can give a member."""

from __future__ import annotations

from collections.abc import Iterator

from mmos.config.pattern_models import asked_models, servers_of_member
from mmos.config.patterns_schema import SHAPES, Pattern, PatternMember
from mmos.config.schema import Orchestration
from mmos.config.wording import Place

Findings = Iterator[tuple[Place, str]]

COUNTED = ("vote", "consensus")
"""The aggregates that count votes."""


def findings(orchestration: Orchestration) -> Findings:
    for name, pattern in orchestration.patterns.items():
        place: Place = ("patterns", name)
        if pattern.pattern in SHAPES:
            for key, why in _idle(pattern):
                yield (*place, key), f"'{key}' does nothing here: {why}"
        for key in ("embedding_model", "embedding_server") if pattern.rag else ():
            if pattern.rag and key in pattern.rag.model_fields_set:
                yield (
                    (*place, "rag", key),
                    f"'{key}' does nothing here: a collection has the vectors that it was given when documents were added",
                )
        yield from _weights(place, pattern)
        for index, member in enumerate(pattern.models):
            yield from _member((*place, "models", index), member, orchestration)
    yield from _gpus(orchestration)


def _idle(pattern: Pattern) -> Iterator[tuple[str, str]]:
    """Keys with another value than the default that the shape does not use."""
    shape, usual = pattern.pattern, Pattern.model_fields
    is_counted = shape == "voting" or (shape == "ensemble" and pattern.aggregate in COUNTED)
    joins = shape in ("ensemble", "parallel")
    rules = (
        ("aggregate", shape == "ensemble", "only an ensemble makes one answer of several"),
        ("aggregation_prompt", joins, "only an ensemble, or parallel work, puts answers together"),
        ("voting", is_counted, "votes are counted in the pattern voting, and in an ensemble with aggregate: vote"),
        ("samples", shape == "ensemble" and pattern.aggregate == "best_of_n", "it is for an ensemble with aggregate: best_of_n"),
        ("max_steps", shape == "sequential", "only a sequence has steps"),
        ("announce", shape == "sequential", "only a sequence has steps"),
        ("validate_", shape == "sequential", "only the steps of a sequence are checked"),
        ("quality_threshold", pattern.validate_, "without validate: true, nothing is scored"),
        ("deadline", shape not in ("sequential", "specialized"), "only members that work side by side can be late"),
    )
    for key, is_used, why in rules:
        if not is_used and getattr(pattern, key) != usual[key].default:
            yield usual[key].alias or key, why


def _weights(place: Place, pattern: Pattern) -> Findings:
    idle = pattern.pattern in ("sequential", "parallel", "specialized") or (
        pattern.pattern == "ensemble" and pattern.aggregate == "synthesize"
    )
    for index, member in enumerate(pattern.models if idle else ()):
        if member.weight != PatternMember.model_fields["weight"].default:
            why = "weights count where answers are counted or chosen, above all with voting: weighted or aggregate: weighted"
            yield (*place, "models", index, "weight"), f"'weight' does nothing here: {why}"


def _member(place: Place, member: PatternMember, orchestration: Orchestration) -> Findings:
    servers = orchestration.servers
    if member.provider and (servers or member.provider != "ollama") and not servers_of_member(orchestration, member):
        cure = "write one under 'servers'" if servers else "there is no server under 'servers'"
        yield (
            (*place, "provider"),
            f"no server of the file is of the provider {member.provider}, so the member runs on any host that has it; {cure}",
        )


def _gpus(orchestration: Orchestration) -> Findings:
    """What a member asks for, and no server that it may use is said to have."""
    for one in asked_models(orchestration):
        member, names = one.member, one.servers or tuple(orchestration.servers)
        if member is None:
            continue
        wanted = {*member.gpu_ids, *([] if member.gpu_id is None else [member.gpu_id])}
        known = [orchestration.servers[name] for name in names if name in orchestration.servers]
        numbers = ", ".join(map(str, sorted(wanted)))
        if wanted and not any(wanted <= {*server.gpus} for server in known):
            key = "gpu_ids" if member.gpu_id is None else "gpu_id"
            yield (*one.place, key), f"no server of this member names GPU {numbers} under 'gpus', so its host chooses the GPU"
        need = member.vram_required_gb
        if need is not None and known and all(server.vram_gb is not None and server.vram_gb < need for server in known):
            yield (*one.place, "vram_required_gb"), f"no server of this member has {need:g} GB (vram_gb), so its host may not load it whole"

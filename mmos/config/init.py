"""Proposes a first `orchestration.yaml` from the models of the hosts, and says why it chose each one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mmos.config.environment import escaped
from mmos.config.survey import Candidate, HostSurvey, Scores, SurveyedModel, candidates
from mmos.config.wording import masked, shown
from mmos.config.writing import quoted, written

__all__ = ["HostSurvey", "SurveyedModel", "propose"]

_PULLS = ("qwen2.5:14b", "qwen2.5-coder:14b", "functiongemma")
_MID = (6.0, 15.0)
"""Billions of parameters: large enough to use tools well, small enough to answer fast."""
_WELL = 0.7
"""The share of the cases of `mmos models test` that a good arbiter gets right."""
_PASSABLE = 0.4
_SMALL = 4.0
"""Billions of parameters: an interpreter must answer at once."""
_GENERAL = re.compile(r"qwen|llama|mistral|granite|gemma", re.IGNORECASE)
_SERVER_NOTES = (
    "      # vram_gb: 24   # GPU memory of the host in gigabytes; helps MMOS to place models",
    "      # parallel: 2   # calls that the host serves at once, if it runs with OLLAMA_NUM_PARALLEL=2",
)
_LIMITS = (
    "",
    "  # Limits of one run. At the first of them the run ends with the text so far, and with exit code 5.",
    "  limits:",
    "    total_turns: 300   # requests to models, by all participants together",
    "    tokens: 10000000   # read and written",
    "    idle: 30m   # without progress; a model at work is progress",
    "    # seconds: 20m   # the whole run, even if it makes progress",
)
_TASKS = {
    "coding": "writes, reads, explains and fixes code",
    "reasoning": "thinks a hard problem through, step by step",
    "analysis": "reads, compares and sums up quickly",
}


@dataclass(frozen=True)
class _Choice:
    role: str
    model: Candidate
    window: int
    why: str


def propose(surveys: Sequence[HostSurvey], *, schema: str = "", scores: Scores | None = None) -> str:
    """A commented configuration for these hosts. `schema` is the path or URL of the JSON Schema for editors; `scores` are results of `mmos models test`."""
    names = _names(surveys)
    found = candidates(surveys, names, scores or {})
    choices = _one_window_each(_choose(found) if found else _for_later(names))
    lines = [f"# yaml-language-server: $schema={_comment(schema)}"] if schema else []
    lines += _opening(bool(found))
    lines += ["orchestration:", *_servers(surveys, names), *_arbiter(choices[0])]
    if choices[1:]:
        lines += ["", "  # Each specialist becomes a tool of the arbiter. Add your own, with any name.", "  specialists:"]
        lines += [line for choice in choices[1:] for line in _role(choice, 2)]
    lines += _rules({choice.role for choice in choices})
    lines += _LIMITS
    return "\n".join(lines) + "\n"


def _opening(found: bool) -> list[str]:
    lines = [
        "# Written by `mmos config init` for your hosts. Change it freely, then run `mmos config check`.",
        "# `mmos config show` shows every setting and where it comes from.",
    ]
    if not found:
        lines += ["#", "# Found no model that can chat. Pull some on a host, or name others below:"]
        lines += [f"#   ollama pull {model}" for model in _PULLS]
    return lines


# ---------------------------------------------------------------- servers


def _names(surveys: Sequence[HostSurvey]) -> list[str]:
    """A valid and distinct name for each host."""
    names: list[str] = []
    for survey in surveys:
        base = valid_name(survey.name)
        name, number = base, 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.append(name)
    return names


def valid_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:80] or "host"


def _servers(surveys: Sequence[HostSurvey], names: Sequence[str]) -> Iterator[str]:
    if not surveys:
        return
    someone = any(survey.reachable for survey in surveys)
    ollamas = (name for survey, name in zip(surveys, names, strict=True) if survey.kind == "ollama" and (survey.reachable or not someone))
    first = next(ollamas, None)
    yield "  servers:"
    for survey, name in zip(surveys, names, strict=True):
        if survey.reachable or not someone:
            yield from _server(survey, name)
            yield from _SERVER_NOTES if name == first else ()
        else:
            yield f"    # {name}: {flow(entry(replace(survey, url=masked(survey.url))))}   # {_silent(survey)}"


def _server(survey: HostSurvey, name: str) -> Iterator[str]:
    if survey.reachable:
        kind = f"Ollama {_comment(survey.version)}, " if survey.version else ""
        note = f"{kind}models: {len(survey.models)}"
    else:
        note = _silent(survey)
    yield f"    {written(name)}:   # {note}"
    yield from (f"      {key}: {value}" for key, value in entry(survey).items())


def _silent(survey: HostSurvey) -> str:
    if survey.needs_key:
        return f"needs a key: set {survey.api_key_env}, and remove the # at the start"
    return f"did not answer: {_comment(survey.error) or 'no reason given'}"


def entry(survey: HostSurvey) -> dict[str, str]:
    """The keys of a server, each value as YAML."""
    keys = {"url": quoted(escaped(survey.url))}
    if survey.kind != "ollama":
        keys["kind"] = written(survey.kind)
    if survey.api_key_env:
        keys["api_key_env"] = survey.api_key_env
    return keys


def flow(keys: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in keys.items())}}}"


def _comment(text: str) -> str:
    return shown(" ".join(masked(text).split()), 120)


# ---------------------------------------------------------------- roles


def _choose(found: Sequence[Candidate]) -> list[_Choice]:
    arbiter = max(_speakers(found), key=_as_arbiter)
    choices = [_Choice("arbiter", arbiter, 8192, _why_arbiter(arbiter))]
    choices += [_coding(found), _reasoning(found), _analysis(found, arbiter)]
    return [*choices, *_interpreter(found)]


def _interpreter(found: Sequence[Candidate]) -> list[_Choice]:
    """A model made for this job, if its test result is not bad. If there is none, a small one with a good result."""
    special = [model for model in found if model.interpreter and (model.score is None or model.score >= _PASSABLE)]
    if special:
        return [_Choice("interpreter", special[0], 8192, "made for turning unclear text into tool calls")]
    small = [model for model in found if model.score is not None and model.score >= _WELL and model.billions <= _SMALL]
    if not small:
        return []
    best = max(small, key=lambda model: (model.score or 0.0, -model.billions))
    return [_Choice("interpreter", best, 8192, f"small, and {best.score:.0%} of the cases right in `mmos models test`")]


def _fit(model: Candidate) -> float:
    """0 within the middle sizes, lower the further away."""
    low, high = _MID
    return -max(low - model.billions, model.billions - high, 0.0)


def _as_arbiter(model: Candidate) -> tuple[bool, bool, float, bool, bool, float]:
    """Models with a bad test result come last. An untested model counts as much as one with a good result."""
    return (
        model.score is None or model.score >= _WELL,
        model.tools,
        _fit(model),
        not (model.coder or model.reasoner),
        bool(_GENERAL.search(model.name)),
        model.billions,
    )


def _why_arbiter(model: Candidate) -> str:
    if model.score is not None:
        return f"{model.score:.0%} of the cases right in `mmos models test` ({_size(model)})"
    if not model.tools:
        return "MMOS knows no model here that calls tools; this one is nearest in size, and a schema guides it"
    return f"calls tools and is fast ({_size(model)}); a model of 7 to 14B with tools suits best"


def _coding(found: Sequence[Candidate]) -> _Choice:
    coders = [model for model in found if model.coder]
    model = _largest(coders or _thinkers(found))
    return _Choice(
        "coding",
        model,
        16384,
        f"{'the largest made for code' if coders else 'no model for code here, so the largest'} ({_size(model)})",
    )


def _reasoning(found: Sequence[Candidate]) -> _Choice:
    largest = _largest(_thinkers(found))
    # A very small reasoner thinks long and achieves less than a large model that only answers.
    reasoners = [model for model in found if model.reasoner and model.billions * 3 >= largest.billions]
    model = _largest(reasoners or [largest])
    return _Choice(
        "reasoning", model, 16384, f"{'the largest that thinks before it answers' if reasoners else 'the largest'} ({_size(model)})"
    )


def _analysis(found: Sequence[Candidate], arbiter: Candidate) -> _Choice:
    """A middle-sized model on another host can work beside the arbiter. On the same host it would only push the arbiter out of memory."""
    elsewhere = [model for model in _thinkers(found) if not {*model.hosts} & {*arbiter.hosts} and _fit(model) == 0 and not model.reasoner]
    model = max(elsewhere, key=_as_arbiter) if elsewhere else arbiter
    return _Choice(
        "analysis",
        model,
        8192,
        "quick, on another host than the arbiter" if elsewhere else "the arbiter's model, so the host loads no other",
    )


def _speakers(found: Sequence[Candidate]) -> list[Candidate]:
    return [model for model in found if not model.interpreter] or list(found)


def _thinkers(found: Sequence[Candidate]) -> list[Candidate]:
    return [model for model in _speakers(found) if not model.coder] or _speakers(found)


def _largest(models: Sequence[Candidate]) -> Candidate:
    return max(models, key=lambda model: model.billions)


def _for_later(names: Sequence[str]) -> list[_Choice]:
    """The models that the opening comment says to pull, because the hosts have none yet."""
    general, coder, interpreter = (Candidate(model, tuple(names), 14.0) for model in _PULLS)
    why = "on no host yet; pull it, or write one of your models here"
    return [
        _Choice("arbiter", general, 8192, why),
        _Choice("coding", coder, 16384, why),
        _Choice("reasoning", general, 16384, why),
        _Choice("analysis", general, 8192, why),
        _Choice("interpreter", interpreter, 8192, why),
    ]


def _one_window_each(choices: list[_Choice]) -> list[_Choice]:
    """Roles with the same model have the same window, and the file says so."""
    windows: dict[str, int] = {}
    for choice in choices:
        windows[choice.model.name] = max(choice.window, windows.get(choice.model.name, 0))
    return [replace(choice, window=min(windows[choice.model.name], choice.model.context_length or choice.window)) for choice in choices]


def _size(model: Candidate) -> str:
    return f"{model.billions:.3g}B" if model.billions >= 1 else f"{model.billions * 1000:.0f}M"


# ---------------------------------------------------------------- writing


def _arbiter(choice: _Choice) -> list[str]:
    return ["", "  # The arbiter talks with you, decides, and consults the specialists.", *_role(choice, 1)]


def _role(choice: _Choice, depth: int) -> Iterator[str]:
    start = "  " * depth
    hosts = choice.model.hosts
    yield f"{start}{choice.role}:"
    yield f"{start}  model: {quoted(escaped(choice.model.name))}   # {choice.why}"
    if hosts:
        yield f"{start}  server: {written(hosts[0] if len(hosts) == 1 else list(hosts))}"
    if choice.window >= 256:
        yield f"{start}  context_window: {choice.window}   # tokens; more needs more GPU memory"
    if choice.role in _TASKS:
        yield f"{start}  description: {_TASKS[choice.role]}"


def _rules(roles: set[str]) -> Iterator[str]:
    rules = (("task.complexity > 7", "reasoning"), ("task.type == 'code_generation'", "coding"), ("task.requires_speed", "analysis"))
    yield from ("", "  # Advice for the arbiter; the first true rule counts.", "  routing:", "    rules:")
    yield from (f'      - {{condition: "{condition}", specialist: {role}}}' for condition, role in rules)
    if "interpreter" in roles:
        yield '      - {condition: "response.unclear_tool_calls", specialist: interpreter}'

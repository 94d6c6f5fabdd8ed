"""The doctor's checks of models: entries without a host, keys that are names, words against measurements, and rules against capabilities."""

from __future__ import annotations

from typing import Any

from mmos.app.catalog import Evidence, of_states
from mmos.config.load import from_mapping
from mmos.doctor import catalog
from mmos.doctor.facts import Facts
from mmos.errors import HostUnreachable
from mmos.fitness.figures import Figures
from mmos.fleet.survey import HostState
from mmos.hosts.face import Abilities, Installed

CHAT = frozenset({"completion"})
SEES = frozenset({"completion", "vision"})


def facts(*installed: Installed, evidence: Evidence | None = None, down: bool = False, **orchestration: Any) -> Facts:
    tree = {"servers": {"one": {"url": "http://one:11434"}}, "arbiter": {"model": "m:7b"}, **orchestration}
    config = from_mapping({"orchestration": tree}, environ={})
    state = HostState("one", "http://one:11434", "ollama", Abilities(), None, 1, "0.40.3", installed)
    states = (state,)
    if down:
        gone = HostUnreachable("It is gone.", host="two")
        states = (state, HostState("two", "http://two", "ollama", Abilities(), None, 1, error=gone, reachable=False))
    return Facts(config, states=states, known=of_states(config, states, evidence or Evidence()))


def test_an_entry_without_a_host_is_a_note_once_all_hosts_have_answered():
    entries = {"quick": {"model": "gone:1b"}, "mine": {"model": "m:7b"}}
    (found,) = catalog.entries(facts(Installed("m:7b"), models=entries))
    assert (found.level, found.code, found.subject) == ("info", "model_entry_unused", "models.quick")
    assert "mmos models pull gone:1b" in found.cure
    assert list(catalog.entries(facts(Installed("m:7b"), models=entries, down=True))) == []


def test_a_key_that_is_the_name_of_another_installed_model():
    installed = Installed("m:7b"), Installed("mistral:latest"), Installed("llama:8b")
    (found,) = catalog.entries(facts(*installed, models={"mistral": {"model": "llama:8b"}}))
    assert (found.level, found.code) == ("warning", "model_key_shadows")
    assert "mistral:latest" in found.cure
    assert list(catalog.entries(facts(*installed, models={"mistral": {"model": "mistral"}}))) == []


def test_the_word_of_the_user_against_a_benchmark():
    evidence = Evidence([Figures("m:7b", "one", 1.0, calls=0.1)])
    entries = {"mine": {"model": "m:7b", "capabilities": ["tool_calling"]}}
    (found,) = catalog.disputed(facts(Installed("m:7b"), evidence=evidence, models=entries))
    assert (found.level, found.code) == ("info", "model_disputed")
    assert "it has TOOL_CALLING, and a measurement says otherwise: 10% of its calls were right" in found.message
    assert "models.mine" in found.cure
    assert list(catalog.disputed(facts(Installed("m:7b"), models=entries))) == []


def test_rules_that_send_tasks_to_models_that_are_not_good_at_them():
    installed = Installed("m:7b", capabilities=CHAT), Installed("eyes:7b", capabilities=SEES), Installed("my-coder:7b", capabilities=CHAT)
    rules = [
        {"condition": "task.needs_vision", "specialist": "looker"},
        {"condition": "task.type == 'bug_fixing' or task.complexity > 8", "specialist": "looker"},
        {"condition": "task.type == 'refactoring'", "specialist": "looker"},
        {"condition": "task.type == 'security_review'", "specialist": "looker"},  # no model is good at it
        {"condition": "task.requires_speed", "specialist": "fixer"},  # they are alike
        {"condition": "task.complexity < 3", "specialist": "looker"},
    ]
    specialists = {"looker": {"model": "m:7b"}, "fixer": {"model": "my-coder:7b"}}
    found = list(catalog.ruled(facts(*installed, specialists=specialists, routing={"rules": rules})))
    assert [(one.level, one.code, one.subject) for one in found] == [
        ("warning", "role_lacks_capability", "looker"),
        ("info", "role_lacks_capability", "looker"),
    ]
    assert "eyes:7b has it" in found[0].cure
    assert "my-coder:7b has it" in found[1].cure


def test_a_host_that_does_not_say_what_models_can_do_is_no_reason():
    installed = Installed("m:7b"), Installed("eyes:7b", capabilities=SEES)
    routing = {"rules": [{"condition": "task.needs_vision", "specialist": "looker"}]}
    assert list(catalog.ruled(facts(*installed, specialists={"looker": {"model": "m:7b"}}, routing=routing))) == []
    gone = {"looker": {"model": "gone:7b"}}
    assert list(catalog.ruled(facts(*installed, specialists=gone, routing=routing))) == []

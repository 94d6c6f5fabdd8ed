"""Says which member of a specialized pattern a task is for, by the rules, classes and models of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mmos.app.task_rules import TaskRules
from mmos.choice.classifier import Classification, Classifier, classifier_of
from mmos.choice.facts import facts_of
from mmos.config.models_schema import Model
from mmos.config.routing_schema import Routing
from mmos.names import same_model


@dataclass(frozen=True)
class Guide:
    """What a configuration knows of tasks and models. See `mmos.patterns.plan.Guide`."""

    routing: Routing
    models: Mapping[str, Model]

    @cached_property
    def _classifier(self) -> Classifier:
        return classifier_of(self.routing.classes)

    def classify(self, text: str) -> Classification:
        return self._classifier.classify(text)

    def named(self, text: str, found: Classification) -> tuple[tuple[str, ...], str]:
        """The roles or models that the first rule names which the task meets, and the rule."""
        rules = TaskRules(self.routing)
        tried = rules.compiled.tried(facts_of(text, found)) if rules.by_number else []
        if not tried or not tried[-1].holds:
            return (), ""
        number = [*rules.by_number][tried[-1].number - 1]
        rule = rules.by_number[number]
        names = [rule.specialist, *rule.prefer, rule.model, *self._keys(rule.model)]
        return tuple(name for name in names if name), f"rule {number}: {rule.condition}"

    def _keys(self, model: str | None) -> list[str]:
        """The model behind a key of `models`."""
        entry = self.models.get(model or "")
        return [entry.model] if entry else []

    def capabilities(self, model: str) -> frozenset[str]:
        """What the configuration says that a model can do."""
        entries = (entry for entry in self.models.values() if same_model(entry.model, model))
        return frozenset(capability for entry in entries for capability in entry.capabilities)

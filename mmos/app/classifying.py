"""The part of an app that says what kind of task a text is."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmos.choice.classifier import Classification, Classifier
    from mmos.config.load import Config


class Classifying:
    """Classifies tasks, by the classes of MMOS and those of the configuration."""

    config: Config

    def classify(self, task: str) -> Classification:
        """Say what kind of task a text is, how hard it is and what it needs. No model is asked; it takes about a millisecond.

        Args:
            task: What a user may want.

        Example::

            found = app.classify("Why does the build fail?")
            print(found.type, found.confidence, found.complexity, found.why)
        """
        return self._classifier.classify(task)

    @cached_property
    def _classifier(self) -> Classifier:
        """Made at the first use: most runs need none."""
        from mmos.choice.classifier import classifier_of

        return classifier_of(self.config.orchestration.routing.classes)

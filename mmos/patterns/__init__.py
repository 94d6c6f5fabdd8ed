"""Has several models work on one task in a ready form: a sequence, an ensemble, a vote, or side by side."""

from mmos.patterns.plan import Contributor, Plan
from mmos.patterns.work import Contribution, Form, Outcome, Work

__all__ = ["Contribution", "Contributor", "Form", "Outcome", "Plan", "Work"]

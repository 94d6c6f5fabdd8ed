"""Keeps the journal: the append-only record of what happened, and the only state of MMOS."""

from mmos.journal.connect import Tuning
from mmos.journal.ids import IdSource, is_id, new_id
from mmos.journal.journal import Journal

__all__ = ["IdSource", "Journal", "Tuning", "is_id", "new_id"]

"""Compares two ways of answering on the same cases, and says whether the difference is real (pure functions)."""

"""Finds faults in an answer without asking a model (pure functions)."""

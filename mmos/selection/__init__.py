"""Chooses the role or the model for a task: by rules, by scores, or by what was learned from outcomes (pure functions)."""

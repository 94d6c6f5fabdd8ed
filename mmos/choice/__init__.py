"""Says what kind of task a text is, and what the task needs, without any model (pure functions)."""

"""Reads logs of failed commands: what matters in them, without any model (pure functions)."""

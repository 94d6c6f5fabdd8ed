"""Reads tool calls out of a model's text, and describes tools to models (pure functions)."""

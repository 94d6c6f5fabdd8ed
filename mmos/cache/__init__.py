"""Keeps answers of models, so that the same request needs no model again."""

"""Counts the votes of several models, and says whom to ask next and how sure the result is; pure functions."""

"""Keeps the documents of users in collections, and finds the passages in them that fit a question."""

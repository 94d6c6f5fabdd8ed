"""Builds views from journal entries: the conversation of a thread, and what a run did and cost."""

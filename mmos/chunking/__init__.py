"""Answers a task that is larger than the window of a model: part by part, in the order of the text or side by side."""

"""Runs the arbiter and the specialists: the loop that all of them share, its turns, and the questions to the user."""

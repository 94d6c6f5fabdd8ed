"""The doctor: checks the whole installation at once, reports what is wrong, and says how to fix it."""

"""Has several models work on one task in a ready form: a sequence, an ensemble, a vote, or side by side."""

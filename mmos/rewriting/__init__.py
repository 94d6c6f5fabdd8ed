"""Rewrites files of the user: reads them, finds the new file in an answer, compares, and writes all or nothing."""

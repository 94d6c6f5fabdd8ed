"""Replays runs from the journal: it compares what code, prompts and configuration of today would do with what was done, step by step."""

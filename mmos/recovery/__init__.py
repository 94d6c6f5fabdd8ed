"""Cures failures within a run: by rules where rules know how, and else by a suggestion of the reasoning role, which is carried out and judged."""

"""Simulation: pretended fleets from a file, traces of what really happened, and their replay in time that leaps over every wait."""

"""Simulation: fleets from a file, traces of real runs, and their replay in simulated time."""

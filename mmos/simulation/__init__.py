"""Simulates fleets: it reads them from a file, and replays traces of real runs on them in simulated time."""

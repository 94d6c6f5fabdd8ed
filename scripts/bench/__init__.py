"""Holds the parts of the benchmarks: a scripted model server, the contestants, and the measurements."""

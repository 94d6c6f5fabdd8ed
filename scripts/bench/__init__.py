"""The parts of the benchmarks: a scripted model server, the contestants, and how they are measured."""

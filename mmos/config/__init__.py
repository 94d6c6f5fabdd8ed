"""Reads, checks, explains and proposes `orchestration.yaml`."""

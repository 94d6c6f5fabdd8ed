"""Provides a real Ollama for tests: finds or builds it, serves it on a free port, and makes tiny models with scripted answers."""

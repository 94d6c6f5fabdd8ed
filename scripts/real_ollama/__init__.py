"""A real Ollama for tests: found or built, served on a free port, with tiny models whose every word is scripted."""

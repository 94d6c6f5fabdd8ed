"""The GPUs of this machine: what they do, who holds them, and one Ollama server for each."""

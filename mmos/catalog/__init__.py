"""Says what is known of each model: what it is good at, how large it is, where it runs and how fast (pure functions)."""

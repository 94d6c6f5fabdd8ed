"""Makes prompts from the texts of `prompts/` and the part of a conversation that fits the window."""

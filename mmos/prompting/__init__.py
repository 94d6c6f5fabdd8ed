"""What a model is told: texts from `prompts/`, the parts of a conversation that fit its window, and how long they are."""

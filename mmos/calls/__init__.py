"""From a model's text to valid tool calls, and from offered tools to what the model is told of them (pure)."""

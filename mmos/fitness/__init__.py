"""How fit a model is for tool calls on a host: a trial with built-in cases, and the card that it is written on."""

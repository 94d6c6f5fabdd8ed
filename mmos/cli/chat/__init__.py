"""Implements `mmos chat`, the conversation with the arbiter."""

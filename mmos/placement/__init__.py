"""Decides which host serves which call, in seconds: pure functions over a ledger of facts, for the live fleet and for simulations."""

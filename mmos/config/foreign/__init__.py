"""Reads the configuration files of other tools as they are, and says what they mean in the keys of `orchestration.yaml`."""

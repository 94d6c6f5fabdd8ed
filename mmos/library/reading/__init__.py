"""Reads files of many kinds as text."""

"""Sends calls to hosts: it knows their models, queues, failures and memory."""

"""One client for each kind of server."""

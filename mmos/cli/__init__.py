"""The command line: parses arguments, calls the app, and prints results."""

"""The command line: parse, call the app, print what the journal says."""

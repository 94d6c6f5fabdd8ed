"""`mmos run --batch`: runs a file of tasks into a file of results."""

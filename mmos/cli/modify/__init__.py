"""`mmos modify`: rewrites files, shows what changes, and writes what the user takes."""

"""`mmos diagnose`: explains why a command, a log or a run failed."""

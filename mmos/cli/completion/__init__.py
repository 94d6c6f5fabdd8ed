"""Completion in the shell: the scripts for each shell, and the names that MMOS offers."""

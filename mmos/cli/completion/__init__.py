"""Completion in the shell: the scripts that ask for it, and what is answered."""

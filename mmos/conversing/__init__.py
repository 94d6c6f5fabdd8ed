"""Lets several participants of a run talk with each other, while the arbiter reviews what they write."""

"""The doctor: looks at everything at once, finds what is wrong, and says the cure."""

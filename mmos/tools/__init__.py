"""The tools that every house has; none imports another, each reaches models and the user only through its Context."""

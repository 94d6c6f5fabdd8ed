"""`mmos models compare`: has models, roles or the whole of MMOS answer the same cases, and says which is better."""

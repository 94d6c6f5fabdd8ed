"""THE loop, the turns that it is made of, and the roles that it serves."""

"""Makes vectors of the pieces of a collection, and lets them count beside words."""

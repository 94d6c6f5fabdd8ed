"""Has answers judged by models, and improved when they are not good enough."""

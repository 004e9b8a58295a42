"""One HTML page with all results."""

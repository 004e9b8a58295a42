"""The project's environment, made by standard library alone."""

"""The programs a user runs, and what they share."""

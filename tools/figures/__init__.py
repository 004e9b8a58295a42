"""How pictures of results look."""

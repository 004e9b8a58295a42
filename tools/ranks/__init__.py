"""Processes that train together: started here or by MPI, what they tell each other, and what when one dies."""

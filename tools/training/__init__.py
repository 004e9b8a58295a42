"""Training in stages that resume."""

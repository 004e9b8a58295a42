"""What tools/fault_check.py tries: one module for each family of faults, judged from outside as a user would."""

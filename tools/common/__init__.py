"""What every program and package of tools/ shares."""

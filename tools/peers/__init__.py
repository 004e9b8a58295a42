"""Other engines and other ports, for comparison."""

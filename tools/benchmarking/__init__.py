"""Tables 2 to 4: planned, measured, kept and printed."""

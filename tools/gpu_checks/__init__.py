"""A machine's GPU compared with its CPU, part by part."""

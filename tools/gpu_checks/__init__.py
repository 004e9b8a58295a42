"""This machine's GPU checked against its CPU, part by part."""

"""Generators of the network and solver prototxt files."""

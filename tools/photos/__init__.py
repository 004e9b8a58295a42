"""Photographs: enlarged in bounded memory, written strip by strip."""

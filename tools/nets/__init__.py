"""Caffe nets: built, checked, converted, run in tiles and windows."""

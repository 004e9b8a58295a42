"""Training and validation data as in the paper: fetch, augment, cut, and write to HDF5."""

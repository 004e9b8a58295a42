"""NVIDIA's driver and nvidia-smi, asked without Caffe; standard library only, since the set-up uses it."""

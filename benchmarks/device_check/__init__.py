"""The check of the CUDA back end on a machine with an NVIDIA GPU that is lent for some minutes."""

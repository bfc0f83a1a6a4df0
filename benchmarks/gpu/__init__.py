"""The CUDA back end beside PyTorch on one GPU."""

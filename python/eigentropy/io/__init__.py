"""Files of matrices and labels, and the snapshots of a training run."""

"""From rows to the Gaussian kernel: its width, groups of rows, the diffusion operator."""

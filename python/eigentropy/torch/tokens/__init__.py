"""From tokens to rows: which tokens of a batch are real and kept, and one row a prompt or token."""

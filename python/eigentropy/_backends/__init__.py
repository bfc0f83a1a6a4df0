"""Where arrays lie and what computes with them: the only place that names torch or cupy."""

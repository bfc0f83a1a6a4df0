"""Where arrays lie and what computes with them: the only place that names torch or cupy."""

# Whoever computes with the core needs its orderly end.
from eigentropy._support import lifetime as _lifetime  # noqa: F401

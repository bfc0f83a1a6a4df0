"""A monitor of the layers of a model while it trains."""

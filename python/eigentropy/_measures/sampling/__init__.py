"""How a value would vary over other samples of the data."""

"""How a value depends on the number of rows."""

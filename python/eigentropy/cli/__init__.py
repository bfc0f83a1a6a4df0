"""The command `eigentropy`."""

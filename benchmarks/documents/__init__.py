"""The tables and figures that the documents show, made of the stored results."""

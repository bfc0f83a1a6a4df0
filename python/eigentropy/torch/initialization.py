"""DSE against the initial scale."""

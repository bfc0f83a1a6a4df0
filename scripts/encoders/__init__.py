"""How `fetch_encoders.py` reads networks and samples out of packages, one module a domain."""

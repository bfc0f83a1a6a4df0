"""From spectra to entropies and informations, and what the public functions return."""

"""From an operator to its spectrum: all eigenvalues, an estimate, or bounds."""

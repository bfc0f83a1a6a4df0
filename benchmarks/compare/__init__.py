"""eigentropy beside other packages: time, memory, and whether the answers agree."""

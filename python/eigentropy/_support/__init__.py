"""What every part of the package uses: checks of options, memory, progress, warnings."""

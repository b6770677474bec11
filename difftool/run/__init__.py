"""The run directory: the only channel between training and whoever watches. Standard library only."""

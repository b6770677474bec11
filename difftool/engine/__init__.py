"""Where torch, files and time meet: building, training, checkpoints, sampling."""

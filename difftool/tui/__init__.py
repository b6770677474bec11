"""The dashboard: a viewer of run directories that never shares a process with training."""

"""One file a screen; each shows what the threads have read, and reads nothing itself."""

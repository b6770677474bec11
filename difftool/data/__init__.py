"""Pictures from files, read right."""

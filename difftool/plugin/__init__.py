"""How parts come in: hook specifications, component bases, the loader and the registry."""

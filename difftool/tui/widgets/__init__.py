"""What screens are made of. Each draws its own lines; none reads a file."""

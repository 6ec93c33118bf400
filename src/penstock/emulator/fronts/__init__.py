"""The HTTP front doors of a function."""

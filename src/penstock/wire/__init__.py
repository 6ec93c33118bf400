"""Bytes to values and back: nothing here opens a socket, waits, or reads a clock."""

"""Handlers that both clients run in `test_parity.py`. Each has its cases by name."""

"""Execution environments: their processes, what they ask, and how they live and end."""

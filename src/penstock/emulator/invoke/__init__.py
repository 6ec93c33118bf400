"""Calls through the Lambda API, those that wait for an answer and those that do not."""

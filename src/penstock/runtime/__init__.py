"""The runtime: what runs inside Lambda, in front of the handler."""

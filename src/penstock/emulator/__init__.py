"""Lambda on this machine: a Runtime API, environments as processes, and the front doors.

The emulator knows nothing of the runtime it starts: they meet on the wire only.
"""

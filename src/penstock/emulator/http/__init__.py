"""HTTP as the emulator speaks it: the server, and the client behind `HTTP_PROXY`."""

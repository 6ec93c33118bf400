"""The runtime's sockets: the only code inside Lambda that opens one."""

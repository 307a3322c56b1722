"""The data plane: packets in, packets out. Knows routers, transports and tracks; no rooms, people, tokens or HTTP."""

"""What programs on the driver's own PC get of the relay: a WebSocket and a small REST API, as the seed of pitlink gave them."""

"""Search algorithms as generators of requests and events, and the driver that fulfils them."""

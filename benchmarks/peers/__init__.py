"""What the transport benchmark runs and measures: the clients, the server, and the processes around them."""

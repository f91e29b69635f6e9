"""Protocol messages in and out. Nothing here writes anything durable."""

"""The sample products, tested against a small provider that is none of Latchkey's code."""

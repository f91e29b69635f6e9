"""The three sample products: ordinary relying parties, with no code of the provider's in them."""

"""What a person sees and ends of their own."""

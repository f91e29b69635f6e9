"""What is required: pure functions that say so, and why."""

"""The browser's sign-in, the products signed into by it, and its end."""

"""Between "hello" and "signed in": the attempt, and the one decision about what comes next."""

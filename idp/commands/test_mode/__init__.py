"""`idp demo --test`: a provider for the tests of products, with a clock to move, mail and text
messages to read, people at once, and a way to be signed in by the real pages.

It owns all that it uses: a database and keys in a temporary folder, which go with it, and two ports
of loopback, one for the provider and one for whoever controls it. Nothing of it can be switched on
in another process: the provider is the same as everywhere and knows nothing of it, no setting leads
here, and nothing but the command does.
"""

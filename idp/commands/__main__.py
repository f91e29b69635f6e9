"""`python -m idp.commands` is `idp`: how the demo starts its own processes."""

from idp.commands import main

main()

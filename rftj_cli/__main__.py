"""`python -m rftj_cli`."""

from rftj_cli.main import main

main()

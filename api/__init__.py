"""How do people and programs talk to the ledger? Over HTTP, on pages and on the command line."""

"""The command line; `main` builds the groups, `plugin` declares the commands."""

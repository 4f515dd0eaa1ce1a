"""Groups of commands, a file each, that `daemons.cli` gathers. What a command needs is imported when it runs."""

"""One file for each command or family of commands; `zerosum.cli.app` finds them by being here."""

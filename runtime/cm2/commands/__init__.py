"""One click command a module, each exported as `command`."""

"""The commands that are no experiment; each module has a ``main(arguments)``."""

"""The one kind of error that is shown to a person as a single line, without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in what the user gave; its text names the file, row, key or value and what was expected.

    The command line prints it as one line and exits with status 2.
    """


class DataError(UserError):
    """The data are not what was expected."""


class ConfigError(UserError):
    """The configuration is not what was expected."""


class TrainingDivergedError(UserError):
    """The loss is no longer a number."""

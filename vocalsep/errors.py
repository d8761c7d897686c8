"""The errors that a caller can cause, each with a message that says what is wrong and what to do."""


class VocalsepError(Exception):
    """Root of every error that vocalsep raises on purpose; its text is one line for a person."""


class AudioError(VocalsepError):
    """An audio file or array cannot be read, written or processed."""


class ModelError(VocalsepError):
    """A model is unknown, its file is broken, or its configuration makes no sense."""


class OutputError(VocalsepError):
    """An output cannot be written where it was asked for."""


class UsageError(VocalsepError):
    """Options contradict each other or name something that does not exist."""

"""What ends a start: a message for people, in one line."""


class StackError(Exception):
    """The stack, or a part of it, can't start; the message is one readable line."""

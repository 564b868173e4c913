"""Why Auth refuses."""

from libs.errors import Conflict, Forbidden, Unauthorized, Unavailable


class EmailTaken(Conflict):
    code = "email_taken"


class AdminRightsNeeded(Forbidden):
    code = "admin_rights_needed"


class WrongCredentials(Unauthorized):
    code = "wrong_credentials"


class RefreshTokenDead(Unauthorized):
    code = "refresh_token_dead"


class TooManyPasswords(Unavailable):
    """More passwords wait to be hashed than can be hashed soon."""

    code = "busy"

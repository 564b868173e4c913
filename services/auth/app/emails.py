"""Email addresses: one spelling a mailbox, and only such as a plain SMTP server can take."""

import re
from typing import Annotated

import email_validator
from pydantic import AfterValidator, Field, StringConstraints

from libs.types import nfc

# `.local`, `.test` and their like are fine for a demo: the mail server decides what it takes.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_REPEATED_INPUT = re.compile(r"\s*[:(].*", re.DOTALL)


def mailbox(address: str) -> str:
    """The one spelling of this mailbox: composed, lower case, the domain in ASCII (Punycode)."""
    try:
        valid = email_validator.validate_email(
            nfc(address), allow_smtputf8=False, check_deliverability=False, strict=True
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(_REPEATED_INPUT.sub("", str(error))) from None
    assert valid.ascii_email is not None
    return valid.ascii_email.casefold()


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254),
    AfterValidator(mailbox),
    Field(json_schema_extra={"format": "email"}),
]

"""Request and response bodies."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from libs.security import Role
from libs.types import StoredText

from .emails import Email

Password = Annotated[StoredText, Field(min_length=8, max_length=128)]


class UserCreate(BaseModel):
    email: Email
    password: Password
    role: Role = "customer"


class Credentials(BaseModel):
    email: Email
    password: Password


class TokenForm(BaseModel):
    """OAuth2's password form; its `username` is the email address."""

    username: Email
    password: Password
    grant_type: Literal["password"] = "password"


class RefreshRequest(BaseModel):
    refresh_token: Annotated[str, Field(max_length=4096)]


class UserRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    email: str
    role: Role


class TokenPair(BaseModel):
    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int
    """Seconds that the access token holds."""

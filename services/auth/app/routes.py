"""The public API, as `/auth/...` through the gateway."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from libs.db import Database, DatabaseDep, SessionDep
from libs.routing import service_router
from libs.security import User as CurrentUser
from libs.security import has_internal_key, principal_of

from . import service
from .config import AuthSettings
from .exceptions import AdminRightsNeeded, RefreshTokenDead, WrongCredentials
from .passwords import Passwords, PasswordsDep
from .schemas import Credentials, RefreshRequest, TokenForm, TokenPair, UserCreate, UserRead
from .tokens import read_refresh_token

router = service_router(tags=["auth"])


async def _settings(request: Request) -> AuthSettings:
    settings: AuthSettings = request.app.state.settings
    return settings


async def _never_stored(response: Response) -> None:
    """RFC 6749 asks this of every answer that has tokens in it."""
    response.headers["Cache-Control"] = "no-store"


SettingsDep = Annotated[AuthSettings, Depends(_settings)]
NeverStored = Depends(_never_stored)


@router.post("/register", status_code=201)
async def register(
    wanted: UserCreate, request: Request, database: DatabaseDep, passwords: PasswordsDep
) -> UserRead:
    """Anybody becomes a customer; an admin is made with X-Internal-Key or by an admin."""
    if wanted.role == "admin" and not has_internal_key(request):
        _require_admin(request)
    async with passwords.turn():
        password_hash = await passwords.hash(wanted.password)
    async with database.session() as session:
        user = await service.register(session, wanted, password_hash=password_hash)
        return UserRead.model_validate(user)


def _require_admin(request: Request) -> None:
    if "authorization" not in request.headers or not principal_of(request).is_admin:
        raise AdminRightsNeeded("An admin is registered with X-Internal-Key or an admin's token.")


@router.post("/login", dependencies=[NeverStored])
async def login(
    given: Credentials, database: DatabaseDep, passwords: PasswordsDep, settings: SettingsDep
) -> TokenPair:
    return await _log_in(given, database, passwords, settings)


@router.post("/token", dependencies=[NeverStored])
async def token(
    form: Annotated[TokenForm, Form()],
    database: DatabaseDep,
    passwords: PasswordsDep,
    settings: SettingsDep,
) -> TokenPair:
    """Log in by OAuth2's password form, as Authorize in /docs does."""
    given = Credentials.model_construct(email=form.username, password=form.password)
    return await _log_in(given, database, passwords, settings)


async def _log_in(
    given: Credentials, database: Database, passwords: Passwords, settings: AuthSettings
) -> TokenPair:
    """No connection is held while the password is hashed."""
    async with passwords.turn():
        async with database.session() as session:
            user = await service.find_user(session, given.email)
        known = user.password_hash if user else None
        right, new_hash = await passwords.verify(given.password, known)
    if user is None or not right:
        raise WrongCredentials("The email or the password is wrong.")
    async with database.session() as session:
        if new_hash:
            await service.change_hash(session, user, new_hash)
        return await service.start_session(session, settings, user)


@router.post("/refresh", dependencies=[NeverStored])
async def refresh(given: RefreshRequest, database: DatabaseDep, settings: SettingsDep) -> TokenPair:
    """A new pair; the old refresh token is dead, and using it again ends the session."""
    session_id, jti = read_refresh_token(settings, given.refresh_token)
    async with database.session() as session:
        pair = await service.rotate(session, settings, session_id=session_id, jti=jti)
    if pair is None:
        raise RefreshTokenDead("This refresh token can't be used any more: log in again.")
    return pair


@router.post("/logout", status_code=204)
async def logout(given: RefreshRequest, session: SessionDep, settings: SettingsDep) -> None:
    """The refresh token is the credential, so that an expired session can log out."""
    session_id, _ = read_refresh_token(settings, given.refresh_token, expired_too=True)
    await service.end_session(session, session_id)


@router.get("/me")
async def me(user: CurrentUser) -> UserRead:
    return UserRead(id=user.user_id, email=user.email, role=user.role)

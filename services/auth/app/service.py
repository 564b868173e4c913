"""Use cases: register, log in, refresh a session, end it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from .config import AuthSettings
from .exceptions import EmailTaken
from .models import RefreshToken, Session, User
from .schemas import TokenPair, UserCreate
from .tokens import make_pair, new_refresh_token


async def register(session: AsyncSession, wanted: UserCreate, *, password_hash: str) -> User:
    """Raises EmailTaken, also for another spelling of the same mailbox."""
    new = insert(User).values(email=wanted.email, role=wanted.role, password_hash=password_hash)
    user: User | None = await session.scalar(new.on_conflict_do_nothing().returning(User))
    if user is None:
        raise EmailTaken("Email already registered")
    return user


async def find_user(session: AsyncSession, email: str) -> User | None:
    return await session.scalar(select(User).where(User.email == email))


async def start_session(session: AsyncSession, settings: AuthSettings, user: User) -> TokenPair:
    session_id = uuid4()
    refresh = new_refresh_token(settings, session_id, uuid4())
    session.add(Session(id=session_id, user_id=user.id, expires_at=refresh.expires_at))
    await session.flush()
    session.add(refresh)
    await session.flush()
    return make_pair(settings, user, refresh)


async def change_hash(session: AsyncSession, user: User, password_hash: str) -> None:
    """Keep the hash that was made with today's parameters."""
    await session.execute(
        update(User).where(User.id == user.id).values(password_hash=password_hash)
    )


async def rotate(
    session: AsyncSession, settings: AuthSettings, *, session_id: UUID, jti: UUID
) -> TokenPair | None:
    """The token's successor; None when it is dead.

    Within the grace a used token gets the same successor again, since its first answer may
    have been lost. After it, somebody else has the token: the whole session ends, and that must
    be committed.
    """
    family = await session.get(Session, session_id, with_for_update=True)
    token = await session.get(RefreshToken, jti)
    if family is None or family.ended_at or token is None or token.session_id != session_id:
        return None
    user = await session.get_one(User, family.user_id)
    if token.successor is None or token.used_at is None:
        return make_pair(settings, user, await _succeed(session, settings, family, token))
    if datetime.now(UTC) - token.used_at > timedelta(seconds=settings.refresh_token_grace):
        family.ended_at = datetime.now(UTC)
        return None
    return make_pair(settings, user, await session.get_one(RefreshToken, token.successor))


async def _succeed(
    session: AsyncSession, settings: AuthSettings, family: Session, token: RefreshToken
) -> RefreshToken:
    """Forgets the family's expired tokens too, else a session that goes on for ever grows so."""
    expired = RefreshToken.expires_at < func.now()
    await session.execute(
        delete(RefreshToken)
        .where(RefreshToken.session_id == family.id, expired, RefreshToken.jti != token.jti)
        .execution_options(synchronize_session=False)
    )
    successor = new_refresh_token(settings, family.id, uuid4())
    session.add(successor)
    token.used_at, token.successor = datetime.now(UTC), successor.jti
    family.expires_at = successor.expires_at
    await session.flush()
    return successor


async def end_session(session: AsyncSession, session_id: UUID) -> None:
    """All its refresh tokens are dead from now on; nothing happens to one that has ended."""
    await session.execute(
        update(Session)
        .where(Session.id == session_id, Session.ended_at.is_(None))
        .values(ended_at=func.now())
    )


async def delete_expired(session: AsyncSession, *, limit: int) -> int:
    """How many sessions were forgotten, since none of their tokens can be used any more."""
    old = select(Session.id).where(Session.expires_at < func.now()).limit(limit)
    statement = delete(Session).where(Session.id.in_(old.with_for_update(skip_locked=True)))
    return len((await session.scalars(statement.returning(Session.id))).all())

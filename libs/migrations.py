"""What each service's `migrations/env.py` calls: its own schema, one transaction, one at a time."""

import os
import zlib

from alembic import context
from sqlalchemy import MetaData, NullPool, create_engine, text

from .config import DatabaseSettings

_LOCK_SECONDS = 60


def run_migrations(metadata: MetaData) -> None:
    """Migrate the schema of `metadata` as alembic was asked to.

    All revisions run in one transaction under an advisory lock: several at once wait for each
    other, and one that is killed leaves nothing half done. The DSN comes from `POSTGRES_DSN`,
    never through alembic's ini file, whose reader would expand a `%` in a password.
    """
    schema = metadata.schema
    assert schema is not None
    dsn = os.environ.get("POSTGRES_DSN") or DatabaseSettings.model_fields["postgres_dsn"].default
    engine = create_engine(dsn, poolclass=NullPool, connect_args={"connect_timeout": 5})
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
        lock = zlib.crc32(f"migrations:{schema}".encode())
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
        connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table_schema=schema,
            include_schemas=True,
            include_name=lambda name, kind, _parents: kind != "schema" or name == schema,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()

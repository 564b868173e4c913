from app.models import Base

from libs.migrations import run_migrations

run_migrations(Base.metadata)

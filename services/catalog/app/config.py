"""What only Catalog needs."""

from typing import Annotated

from pydantic import Field, SecretStr

from libs.config import BaseUrl, DatabaseSettings, Seconds

_DEMO_S3_SECRET = "adminadmin"  # noqa: S105 - as in deploy/.env.example, and refused in production


class CatalogSettings(DatabaseSettings):
    order_base: BaseUrl = "http://order:8000"
    reservation_ttl: Seconds = 60
    """How long a reservation may be without an order before the sweeper asks Order about it."""

    s3_endpoint: BaseUrl = "http://minio:9000"
    s3_bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = "media"
    s3_access_key: SecretStr = SecretStr("admin")
    s3_secret_key: SecretStr = SecretStr(_DEMO_S3_SECRET)

    def default_secrets(self) -> list[str]:
        names = super().default_secrets()
        if self.s3_secret_key.get_secret_value() == _DEMO_S3_SECRET:
            names.append("S3_SECRET_KEY")
        return names

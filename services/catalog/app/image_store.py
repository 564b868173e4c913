"""The object store for images: boto3 in a few threads of its own, imported at the first use.

boto3 takes 20 MB and a third of a second, which a service that handles no image need not spend.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, Request

from libs.errors import RETRY_AFTER_SECONDS
from libs.health import Check
from libs.logging import fields, get_logger

from .config import CatalogSettings
from .exceptions import ImageNotFound, ImageStoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = get_logger(__name__)

_THREADS = 4
_CALL_SECONDS = 15.0
_MISSING = {"NoSuchKey", "NoSuchBucket", "404"}
_BUCKET_IS_THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "OperationAborted"}

ResultT = TypeVar("ResultT")


class ImageStore:
    """Each call raises ImageStoreUnavailable when the store gives no good answer in time."""

    def __init__(self, settings: CatalogSettings) -> None:
        self._settings = settings
        self._bucket = settings.s3_bucket
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")
        self._lock = Lock()
        self._client: S3Client | None = None

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def put(self, key: str, content: bytes, *, content_type: str) -> None:
        """Store an object; the bucket is made when it is missing."""

        def call(client: "S3Client") -> None:
            try:
                client.put_object(
                    Bucket=self._bucket, Key=key, Body=content, ContentType=content_type
                )
            except client.exceptions.NoSuchBucket:
                self._make_bucket(client)
                client.put_object(
                    Bucket=self._bucket, Key=key, Body=content, ContentType=content_type
                )

        await self._run(call)

    async def get(self, key: str) -> bytes:
        """Raises ImageNotFound when the store is there but has no such object."""
        return await self._run(
            lambda client: client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        )

    async def delete(self, key: str) -> None:
        await self._run(lambda client: client.delete_object(Bucket=self._bucket, Key=key))

    def check(self) -> Check:
        """The store takes connections; without it, only images fail."""
        url = urlsplit(self._settings.s3_endpoint)
        port = url.port or (443 if url.scheme == "https" else 80)

        async def run() -> None:
            _, writer = await asyncio.open_connection(url.hostname, port)
            writer.close()

        return Check("object store", run, vital=False)

    async def _run(self, call: "Callable[[S3Client], ResultT]") -> ResultT:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                return await loop.run_in_executor(self._executor, self._call, call)
        except TimeoutError:
            raise _unavailable("no answer in time") from None

    def _call(self, call: "Callable[[S3Client], ResultT]") -> ResultT:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call(self._connect())
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _MISSING:
                raise ImageNotFound("The image is not in the object store any more.") from None
            raise _unavailable(code) from None
        except BotoCoreError as error:
            raise _unavailable(type(error).__name__) from None

    def _connect(self) -> "S3Client":
        with self._lock:
            if self._client is None:
                self._client = _make_client(self._settings)
            return self._client

    def _make_bucket(self, client: "S3Client") -> None:
        from botocore.exceptions import ClientError

        try:
            client.create_bucket(Bucket=self._bucket)
        except ClientError as error:
            # Another worker has made it, or is making it just now.
            if error.response.get("Error", {}).get("Code") not in _BUCKET_IS_THERE:
                raise


def _make_client(settings: CatalogSettings) -> "S3Client":
    import boto3
    from botocore.config import Config

    client: S3Client = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.s3_access_key.get_secret_value(),
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        region_name="us-east-1",
        config=Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"total_max_attempts": 2},
            max_pool_connections=_THREADS,
            s3={"addressing_style": "path"},
            # Newer clients add checksum trailers that S3 servers other than Amazon's may refuse.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            proxies={},
        ),
    )
    return client


def _unavailable(reason: str) -> ImageStoreUnavailable:
    log.warning("object store unavailable", extra=fields(reason=reason))
    return ImageStoreUnavailable(
        f"The object store for images can't be reached; try again in {RETRY_AFTER_SECONDS} s."
    )


async def _get_image_store(request: Request) -> ImageStore:
    store: ImageStore = request.app.state.image_store
    return store


ImageStoreDep = Annotated[ImageStore, Depends(_get_image_store)]

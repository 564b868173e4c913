"""Cart's own settings: a wrong one is one line that names it, without a secret, exit code 2."""

import pytest

from libs.config import load_settings
from services.cart.app.config import CartSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CART_TTL", "0"),
        ("CATALOG_BASE", "catalog:8000"),
        ("REDIS_TIMEOUT", "3"),
        ("REDIS_URL", "http://redis:6379/0"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://:s3cret@redis:port/0"),
        ("REDIS_URL", "redis://:s3cret@redis:99999/0"),
        ("REDIS_URL", "redis://:s3cret@redis:6379/carts"),
        ("REDIS_URL", "redis://:s3cret@redis:6379/0?no_such_option=1"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load_settings(CartSettings)
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert name in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis",
        "redis://[::1]:6379/1",
        "rediss://user:p%40ss%2Fw%25@redis:6380/0?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_each_kind_of_redis_url_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert load_settings(CartSettings).redis_url == url

"""Catalog's own settings: a wrong one is one line that names it, exit code 2."""

import pytest

from libs.config import load_settings
from services.catalog.app.config import CatalogSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RESERVATION_TTL", "0"),
        ("S3_ENDPOINT", "minio:9000"),
        ("S3_BUCKET", "No Bucket"),
        ("ORDER_BASE", "order"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load_settings(CatalogSettings)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert name in said
    assert said.count("\n") == 1


def test_production_refuses_the_object_store_secret_of_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("JWT_SECRET", "a secret of our own, long enough")
    monkeypatch.setenv("SVC_INTERNAL_KEY", "another secret of our own")
    with pytest.raises(SystemExit):
        load_settings(CatalogSettings)
    assert "S3_SECRET_KEY" in capsys.readouterr().err

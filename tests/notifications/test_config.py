"""Notifications' own settings: a wrong one is one line that names it, exit code 2."""

import pytest

from libs.config import load_settings
from services.notifications.app.config import NotificationsSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_PORT", "70000"),
        ("SMTP_FROM", "nobody"),
        ("SMTP_FROM", "Shop\r\nBcc: x@example.com <shop@example.com>"),
        ("SMTP_TIMEOUT", "0"),
        ("MAIL_LEASE", "10"),
        ("MAIL_ATTEMPTS", "0"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load_settings(NotificationsSettings)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert name in said
    assert said.count("\n") == 1

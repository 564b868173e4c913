"""Response bodies."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from .models import MailStatus


class NotificationRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    type: str
    order_id: int
    to: str
    subject: str
    status: MailStatus
    created_at: datetime
    sent_at: datetime | None

"""Why a shipment is not there, or can't be changed."""

from libs.errors import Conflict, NotFound


class ShipmentNotFound(NotFound):
    code = "shipment_not_found"


class NotReadyToShip(Conflict):
    code = "not_ready_to_ship"


class AlreadyDispatched(Conflict):
    code = "already_dispatched"

"""HTTP requests to addresses that tenants name: they reach the public Internet, and of private networks only those
that the operator allows."""

from mirliton.outbound_http.addresses import AddressNotAllowed
from mirliton.outbound_http.client import client
from mirliton.outbound_http.metering import RADIO

__all__ = ["RADIO", "AddressNotAllowed", "client"]

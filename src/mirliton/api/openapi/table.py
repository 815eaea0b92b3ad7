"""Every section, in an order in which all examples can be tried one after the other."""

from mirliton.api.openapi.accounts import CONFIGURATION, LOGGING_IN, SCHEMAS, THE_ACCOUNT
from mirliton.api.openapi.conferences import CONFERENCES, ROOMS
from mirliton.api.openapi.documents import CALLFLOWS, DEVICES, MEDIA, USERS
from mirliton.api.openapi.links import LINKS
from mirliton.api.openapi.listening import OPEN_SOCKETS, TOLD_OF_EVENTS
from mirliton.api.openapi.operations import Section

SECTIONS: tuple[Section, ...] = (
    LOGGING_IN,
    THE_ACCOUNT,
    CONFIGURATION,
    USERS,
    DEVICES,
    MEDIA,
    CALLFLOWS,
    CONFERENCES,
    ROOMS,
    LINKS,
    TOLD_OF_EVENTS,
    OPEN_SOCKETS,
    SCHEMAS,
)

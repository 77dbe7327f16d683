"""A real fleet on this machine: server binaries, initdb, replicas, start, stop.  No Docker, safe as root."""

from outgrow.local.addresses import domain_of
from outgrow.local.binaries import Binaries, available, find, installed
from outgrow.local.fleet import FleetStatus, ServerStatus, directory_of, down, status, topology, up
from outgrow.local.mariadb import MariadbServer, temporary_mariadb
from outgrow.local.mariadb_programs import installed_mariadb
from outgrow.local.places import home
from outgrow.local.temporary import temporary

__all__ = [
    "Binaries",
    "FleetStatus",
    "MariadbServer",
    "ServerStatus",
    "available",
    "directory_of",
    "domain_of",
    "down",
    "find",
    "home",
    "installed",
    "installed_mariadb",
    "status",
    "temporary",
    "temporary_mariadb",
    "topology",
    "up",
]

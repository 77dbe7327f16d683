"""Links to MariaDB (and MySQL): the port of `outgrow.nodes.link` over PyMySQL, on a thread for each link."""

from outgrow.nodes.mariadb.connect import mariadb_link_steps
from outgrow.nodes.mariadb.link import MariadbLink

__all__ = ["MariadbLink", "mariadb_link_steps"]

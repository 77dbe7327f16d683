"""SQL text + schema → what it is, what it touches, and its relational tree.  The only import of the SQL parser."""

from outgrow.statement.bind import bind, syntax_error
from outgrow.statement.copying import CopyCommand, copy_adding, copy_command, copy_of, with_literals
from outgrow.statement.definitions import DefinitionFacts, Form, IndexChange, Named, NewTable, definition_facts
from outgrow.statement.fingerprint import fingerprint, fingerprint_of
from outgrow.statement.inference import catalogue_name, common, order_of, type_of
from outgrow.statement.mariadb_definitions import mariadb_facts
from outgrow.statement.mariadb_inserts import numbers_written, rows_written
from outgrow.statement.mariadb_names import UNNAMED
from outgrow.statement.mariadb_spelling import respelt
from outgrow.statement.model import READING, Effect, Kind, Placeholders, Statement
from outgrow.statement.naming import output_name
from outgrow.statement.quoting import name_sql, string_sql
from outgrow.statement.render import render
from outgrow.statement.session_state import local_settings, session_state, sets_role
from outgrow.statement.unvetted import Unvetted
from outgrow.statement.views import Expanded, Obstacle, View, with_views
from outgrow.statement.walk import children, columns_of, expressions_of, queries_in, transform, walk

__all__ = [
    "READING",
    "UNNAMED",
    "CopyCommand",
    "DefinitionFacts",
    "Effect",
    "Expanded",
    "Form",
    "IndexChange",
    "Kind",
    "Named",
    "NewTable",
    "Obstacle",
    "Placeholders",
    "Statement",
    "Unvetted",
    "View",
    "bind",
    "catalogue_name",
    "children",
    "columns_of",
    "common",
    "copy_adding",
    "copy_command",
    "copy_of",
    "definition_facts",
    "expressions_of",
    "fingerprint",
    "fingerprint_of",
    "local_settings",
    "mariadb_facts",
    "name_sql",
    "numbers_written",
    "order_of",
    "output_name",
    "queries_in",
    "render",
    "respelt",
    "rows_written",
    "session_state",
    "sets_role",
    "string_sql",
    "syntax_error",
    "transform",
    "type_of",
    "walk",
    "with_literals",
    "with_views",
]

"""What a function is: its kind, volatility and result, from the schema, else from a table of PostgreSQL's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from outgrow.schema import Function, Schema, Volatility
from outgrow.statement.keywords import words
from outgrow.statement.tree import CallKind

_I, _S, _V = Volatility.IMMUTABLE, Volatility.STABLE, Volatility.VOLATILE


class Known(NamedTuple):
    kind: CallKind
    volatility: Volatility
    builtin: bool
    #: The result's type where all overloads agree on one that is not polymorphic.
    type: str | None


#: Not functions of the catalogue, but written like some.
_CONSTRUCTS = frozenset(words("coalesce greatest least nullif grouping row"))
#: Marked stable or immutable in the catalogue, yet they change something or need a primary.
_FORCED_VOLATILE = frozenset(
    words(
        "txid_current pg_current_xact_id pg_export_snapshot pg_logical_emit_message query_to_xml "
        "query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml table_to_xml schema_to_xml database_to_xml"
    )
)
_AGGREGATES = (
    "count sum min max avg array_agg string_agg bool_and bool_or every bit_and bit_or bit_xor "
    "jsonb_object_agg stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp "
    "regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy "
    "percentile_cont percentile_disc mode xmlagg range_agg range_intersect_agg any_value"
)
_WINDOWS = "row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value"
_SETS = (
    "unnest generate_subscripts json_array_elements json_array_elements_text jsonb_array_elements "
    "jsonb_array_elements_text json_each json_each_text jsonb_each jsonb_each_text json_object_keys "
    "jsonb_object_keys regexp_matches regexp_split_to_table string_to_table jsonb_path_query"
)
_STABLE_AGGREGATES = "json_agg jsonb_agg json_object_agg"
_STABLE_SETS = "generate_series json_to_recordset jsonb_to_recordset json_populate_recordset jsonb_populate_recordset"
_IMMUTABLE = (
    "abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log10 power pow mod div gcd lcm degrees "
    "radians pi sin cos tan cot asin acos atan atan2 sinh cosh tanh factorial width_bucket scale min_scale "
    "trim_scale numeric_in int2 int4 int8 float4 float8 text bool varchar bpchar name char_length "
    "character_length octet_length bit_length lower upper initcap btrim ltrim rtrim lpad rpad substr "
    "substring strpos position overlay replace translate reverse repeat left right split_part starts_with "
    "ascii chr md5 sha224 sha256 sha384 sha512 encode decode get_byte set_byte quote_ident to_hex "
    "regexp_replace regexp_match regexp_like regexp_count regexp_instr regexp_substr regexp_split_to_array "
    "string_to_array array_to_tsvector array_append array_prepend array_cat array_length array_ndims "
    "array_dims array_lower array_upper array_position array_positions array_remove array_replace array_fill "
    "cardinality trim_array make_date make_time make_timestamp make_interval justify_days justify_hours "
    "justify_interval isfinite json_array_length jsonb_array_length json_typeof jsonb_typeof "
    "json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text jsonb_set "
    "jsonb_insert jsonb_strip_nulls json_strip_nulls jsonb_pretty jsonb_path_exists jsonb_path_match "
    "jsonb_path_query_array jsonb_path_query_first int4range int8range numrange tsrange daterange lower_inc "
    "upper_inc isempty range_merge host masklen network netmask hashint2 hashint4 hashint8 hashtext "
    "hashint2extended hashint4extended hashint8extended hashtextextended uuid_hash_extended "
    "timestamp_hash_extended hash_numeric_extended hashfloat8extended hashinetextended jsonb_hash_extended "
    "hashcharextended num_nulls num_nonnulls crc32 crc32c bit_count like ilike notlike similar_to_escape "
    "point box circle line lseg path polygon area center diameter height width radius npoints normalize "
    "is_normalized unistr uuid_extract_version uuid_extract_timestamp setweight strip to_ascii"
)
_STABLE = (
    "now transaction_timestamp statement_timestamp current_database current_schema current_schemas "
    "current_setting current_user session_user version to_char to_date to_timestamp date_trunc date_bin age "
    "concat concat_ws format array_to_string to_json to_jsonb row_to_json array_to_json json_build_object "
    "json_build_array jsonb_build_object jsonb_build_array json_object jsonb_object json_populate_record "
    "jsonb_populate_record json_to_record jsonb_to_record timestamptz make_timestamptz to_tsvector to_tsquery "
    "plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ts_headline pg_typeof "
    "has_table_privilege has_schema_privilege has_column_privilege obj_description col_description "
    "pg_get_viewdef pg_get_expr pg_get_constraintdef pg_get_indexdef pg_get_serial_sequence "
    "pg_encoding_to_char pg_get_userbyid to_regclass to_regtype to_regproc pg_table_is_visible format_type "
    "quote_all_identifiers inet_server_addr inet_server_port inet_client_addr inet_client_port pg_backend_pid "
    "pg_postmaster_start_time pg_conf_load_time pg_is_other_temp_schema pg_column_size date time timestamp "
    "interval overlaps date_part extract length numeric quote_literal quote_nullable timezone to_number"
)
_RETURNS = {
    **dict.fromkeys(words("char_length octet_length strpos position ascii ntile array_length cardinality"), "int4"),
    **dict.fromkeys(
        words(
            "initcap lpad rpad replace translate repeat left right split_part md5 concat concat_ws format to_char "
            "array_to_string"
        ),
        "text",
    ),
    **dict.fromkeys(words("row_number rank dense_rank count"), "int8"),
    **dict.fromkeys(words("starts_with bool_and bool_or every isfinite regexp_like"), "bool"),
    "now": "timestamptz",
    "date_part": "float8",
    "extract": "numeric",
    "to_json": "json",
    "to_jsonb": "jsonb",
    "json_agg": "json",
    "jsonb_agg": "jsonb",
    "row_to_json": "json",
    "json_build_object": "json",
    "jsonb_build_object": "jsonb",
    "to_date": "date",
    "make_date": "date",
    "percent_rank": "float8",
    "cume_dist": "float8",
    "gen_random_uuid": "uuid",
    "nextval": "int8",
    "currval": "int8",
    "lastval": "int8",
    "setval": "int8",
    "pg_backend_pid": "int4",
    "current_database": "name",
    "current_schema": "name",
    "version": "text",
    "current_setting": "text",
}
_POLYMORPHIC = frozenset(
    words(
        "anyelement anyarray anynonarray anyenum anyrange anymultirange anycompatible anycompatiblearray "
        "anycompatiblenonarray anycompatiblerange anycompatiblemultirange record any internal trigger void "
        "cstring"
    )
)
#: Stable, and what they answer belongs to one server.
_LOCAL = frozenset(
    words(
        "pg_backend_pid inet_server_addr inet_server_port inet_client_addr inet_client_port "
        "pg_postmaster_start_time pg_conf_load_time version current_setting pg_column_size to_regclass to_regtype "
        "to_regproc has_table_privilege has_schema_privilege has_column_privilege obj_description col_description"
    )
)


def _fallback() -> dict[str, Known]:
    table: dict[str, Known] = {}
    for names, kind, volatility in (
        (_STABLE, CallKind.SCALAR, _S),
        (_IMMUTABLE, CallKind.SCALAR, _I),
        (_SETS, CallKind.SET, _I),
        (_STABLE_SETS, CallKind.SET, _S),
        (_STABLE_AGGREGATES, CallKind.AGGREGATE, _S),
        (_WINDOWS, CallKind.WINDOW, _I),
        (_AGGREGATES, CallKind.AGGREGATE, _I),
    ):
        for name in names.split():
            table[name] = Known(kind, volatility, True, _RETURNS.get(name))
    for name in words(
        "random nextval setval currval lastval set_config pg_sleep gen_random_uuid clock_timestamp timeofday"
    ):
        table[name] = Known(CallKind.SCALAR, _V, True, _RETURNS.get(name))
    return table


#: What serves while a snapshot has no functions.
FALLBACK = _fallback()
_NUMBERS = frozenset(words("int2 int4 int8 numeric"))
_KINDS = {"aggregate": CallKind.AGGREGATE, "window": CallKind.WINDOW}
#: How little may be assumed of a function.
RANK = {_I: 0, _S: 1, _V: 2}


def lookup(schema: Schema, name: str, written_schema: str | None = None) -> Known:
    """The function's facts; among overloads the most volatile one counts, and one user-defined makes all so."""
    if name in _CONSTRUCTS and written_schema is None:
        return Known(CallKind.SCALAR, _I, True, "int4" if name == "grouping" else None)
    overloads = [f for f in schema.functions.get(name, ()) if written_schema in (None, f.schema)]
    if overloads:
        return _of(name, overloads)
    if not schema.functions and name in FALLBACK and written_schema in (None, "pg_catalog"):
        return FALLBACK[name]
    if not schema.functions and name.startswith(("pg_", "lo_", "txid_")):
        return Known(CallKind.SCALAR, _V, True, None)
    return Known(CallKind.UNKNOWN, _V, False, None)


def _of(name: str, overloads: list[Function]) -> Known:
    kinds = {_KINDS.get(f.kind, CallKind.SET if f.returns_set else CallKind.SCALAR) for f in overloads}
    kind = next((k for k in (CallKind.AGGREGATE, CallKind.WINDOW, CallKind.SET) if k in kinds), CallKind.SCALAR)
    builtin = all(f.builtin for f in overloads)
    volatility = max((f.volatility for f in overloads), key=RANK.__getitem__)
    if builtin and name in _FORCED_VOLATILE:
        volatility = _V
    returns = {f.returns for f in overloads}
    type = next(iter(returns)) if len(returns) == 1 else None
    return Known(kind, volatility, builtin, None if type in _POLYMORPHIC else type)


def settled(name: str, known: Known, types: Sequence[str | None]) -> Volatility:
    """The volatility for these argument types, where only other overloads of a builtin are stable."""
    if not known.builtin or known.volatility is not _S or not types:
        return known.volatility
    immutable = (
        (name in ("length", "numeric") and len(types) == 1)
        or (name == "generate_series" and all(type in _NUMBERS for type in types))
        or (name in ("quote_literal", "quote_nullable") and types[0] in ("text", "unknown"))
        # Without an argument it is the time of now.
        or name == "unix_timestamp"
    )
    return _I if immutable else _S


def is_local(name: str) -> bool:
    """A builtin whose answer depends on the server that gives it."""
    return name in _LOCAL or name.startswith("pg_")

"""Lists the functions that a guarded query may call, by warehouse.

All other functions are refused. A function is listed only if it computes its value from its arguments: none that reads
a table, a file, a stage, the session or the system catalog, none that returns rows, runs SQL, sleeps, or returns much
more than it was given (``repeat``, ``generate_series``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _names(*words: str) -> frozenset[str]:
    return frozenset(" ".join(words).split())


#: Every warehouse has these, so no user-defined function can take the place of a missing one.
PORTABLE = _names(
    "count sum avg min max stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp",
    "row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value",
    "coalesce nullif greatest least cast case",
    "abs ceil ceiling floor round sign sqrt exp ln log power mod sin cos tan asin acos atan atan2 degrees radians",
    "lower upper trim ltrim rtrim length substring substr replace concat lpad rpad reverse left right",
    "extract date_trunc current_date current_timestamp",
)

_COMMON = {
    "grouping": _names("grouping"),
    "conditional aggregates": _names("count_if countif any_value arg_max arg_min max_by min_by"),
    "boolean aggregates": _names("bool_and bool_or every"),
    "bits": _names("bit_and bit_or bit_xor"),
    "regression": _names("regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy"),
    "percentiles": _names("percentile_cont percentile_disc"),
    "hashes": _names("md5 sha1"),
}


def _common(*groups: str) -> frozenset[str]:
    return frozenset().union(*(_COMMON[group] for group in groups))


_POSTGRES = _common("grouping", "boolean aggregates", "bits", "regression", "percentiles") | _names(
    "any_value mode string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg",
    "cbrt div trunc pi log10 width_bucket random asinh acosh atanh sinh cosh tanh cot factorial gcd lcm scale",
    "char_length character_length octet_length bit_length strpos position overlay split_part concat_ws btrim initcap",
    "translate ascii chr md5 sha224 sha256 sha384 sha512 encode decode to_hex starts_with format quote_literal",
    "regexp_replace regexp_match regexp_like regexp_count regexp_instr regexp_substr string_to_array array_to_string",
    "array_length array_position array_upper array_lower cardinality array_append array_remove array_cat array_prepend",
    "array_positions array_replace",
    "now localtimestamp localtime current_time date_part date_bin age make_date make_time make_timestamp",
    "make_timestamptz make_interval justify_days justify_hours justify_interval isfinite timezone",
    "to_char to_date to_timestamp to_number",
    "to_json to_jsonb row_to_json json_build_object jsonb_build_object json_build_array jsonb_build_array",
    "json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text json_array_length",
    "jsonb_array_length json_typeof jsonb_typeof jsonb_set jsonb_strip_nulls json_strip_nulls jsonb_exists",
    "array row jsonb_path_exists jsonb_path_query_first jsonb_path_query_array jsonb_pretty num_nonnulls num_nulls",
)

_REDSHIFT = _common("grouping", "boolean aggregates", "bits", "percentiles", "hashes") | _names(
    "any_value median listagg nvl nvl2 decode",
    "cbrt trunc pi dlog10 random",
    "len char_length character_length octet_length strpos position charindex split_part btrim initcap translate ascii",
    "chr sha sha2 func_sha1 fnv_hash to_hex regexp_replace regexp_substr regexp_count regexp_instr textlen strtol",
    "getdate sysdate now date_part dateadd datediff last_day add_months months_between next_day convert_timezone",
    "timezone to_char to_date to_timestamp to_number ratio_to_report",
    "json_extract_path_text json_extract_array_element_text json_array_length is_valid_json is_valid_json_array",
    "json_parse json_serialize json_typeof can_json_parse try_cast array_to_string get_array_length split_to_array",
    "concat_ws array row",
)

_SNOWFLAKE = _common("grouping", "conditional aggregates", "regression", "percentiles", "hashes") | _names(
    "grouping_id median mode listagg array_agg array_unique_agg object_agg booland_agg boolor_agg boolxor_agg",
    "bitand_agg bitor_agg bitxor_agg approx_count_distinct approx_percentile approx_top_k hll hash_agg kurtosis skew",
    "ratio_to_report conditional_true_event conditional_change_event width_bucket",
    "nvl nvl2 ifnull iff decode zeroifnull nullifzero div0 div0null equal_null greatest_ignore_nulls",
    "least_ignore_nulls booland boolor boolnot boolxor regr_valx regr_valy",
    "cbrt trunc truncate square haversine pi factorial random uniform cot",
    "sinh cosh tanh asinh acosh atanh bitand bitor bitxor",
    "pow",
    "len char_length octet_length charindex position contains startswith endswith split_part split strtok concat_ws",
    "strtok_to_array initcap translate ascii chr like ilike rlike regexp_replace regexp_substr",
    "regexp_substr_all regexp_count regexp_instr regexp_like sha2 md5_hex sha1_hex sha2_hex hash hex_encode",
    "base64_encode editdistance jarowinkler_similarity soundex collate",
    "to_char to_varchar to_number to_numeric to_decimal to_double to_boolean to_date to_time to_timestamp",
    "to_timestamp_ntz to_timestamp_ltz to_timestamp_tz try_to_number try_to_numeric try_to_decimal try_to_double",
    "try_to_boolean try_to_date try_to_time try_to_timestamp try_to_timestamp_ntz try_to_timestamp_ltz",
    "try_to_timestamp_tz try_cast",
    "date time timestamp getdate sysdate localtimestamp localtime current_time dateadd datediff date_part timeadd",
    "timediff timestampadd timestampdiff date_from_parts datefromparts time_from_parts timestamp_from_parts",
    "timestamp_ntz_from_parts last_day next_day previous_day add_months months_between monthname dayname year quarter",
    "month week weekofyear weekiso yearofweek yearofweekiso day",
    "dayofmonth dayofweek dayofweekiso dayofyear hour minute",
    "second convert_timezone",
    "time_slice trunc",
    "parse_json try_parse_json to_json to_variant to_array to_object check_json get get_path get_ignore_case",
    "json_extract_path_text object_construct object_construct_keep_null object_keys object_insert object_delete",
    "object_pick array_construct array_construct_compact array_size array_contains array_to_string array_slice",
    "array_append array_prepend array_cat array_compact array_distinct array_intersection array_except array_max",
    "array_min array_position array_sort arrays_overlap typeof is_array is_object is_null_value is_integer is_decimal",
    "is_double is_varchar is_boolean is_date is_timestamp_ntz as_array as_object as_integer as_double as_varchar",
    "strip_null_value xmlget filter transform reduce",
)

_BIGQUERY = _common("grouping", "conditional aggregates", "bits", "percentiles") | _names(
    "logical_and logical_or string_agg array_agg array_concat_agg approx_count_distinct approx_quantiles",
    "approx_top_count approx_top_sum",
    "if ifnull safe_cast safe_divide safe_add safe_subtract safe_multiply safe_negate ieee_divide is_nan is_inf",
    "cbrt trunc div pow log10 rand bit_count range_bucket sinh cosh tanh asinh acosh atanh",
    "char_length character_length octet_length byte_length strpos instr split starts_with ends_with contains_substr",
    "initcap translate ascii chr format regexp_contains regexp_extract regexp_extract_all regexp_replace regexp_instr",
    "regexp_substr md5 sha1 sha256 sha512 farm_fingerprint to_hex from_hex to_base64 from_base64 normalize",
    "normalize_and_casefold soundex edit_distance unicode code_points_to_string to_code_points",
    "date datetime time timestamp string current_datetime current_time date_add date_sub date_diff datetime_add",
    "datetime_sub datetime_diff datetime_trunc timestamp_add timestamp_sub timestamp_diff timestamp_trunc time_add",
    "time_sub time_diff time_trunc last_day format_date format_datetime format_timestamp format_time parse_date",
    "parse_datetime parse_timestamp parse_time unix_seconds unix_millis unix_micros unix_date timestamp_seconds",
    "timestamp_millis timestamp_micros date_from_unix_date justify_days justify_hours justify_interval make_interval",
    "parse_json to_json to_json_string json_value json_query json_extract json_extract_scalar json_value_array",
    "json_query_array json_extract_array json_extract_string_array json_type json_keys json_object json_array",
    "lax_string lax_int64 lax_float64 lax_bool bool int64 float64 parse_numeric parse_bignumeric",
    "array_length array_to_string array_concat array_reverse array_first array_last struct array offset ordinal",
    "safe_offset safe_ordinal week",
)

_DATABRICKS = _common(
    "grouping", "conditional aggregates", "boolean aggregates", "bits", "regression", "percentiles", "hashes"
) | _names(
    "grouping_id any some mode median percentile percentile_approx approx_percentile approx_count_distinct",
    "collect_list collect_set array_agg listagg string_agg kurtosis skewness first last count_distinct std",
    "if iff ifnull nvl nvl2 decode nullifzero zeroifnull equal_null try_cast try_add try_subtract try_multiply",
    "try_divide nanvl isnull isnotnull isnan",
    "cbrt pow log10 log2 log1p expm1 rint bround pmod div rand random pi factorial signum width_bucket bin hex unhex",
    "len char_length character_length octet_length instr locate position charindex split split_part substring_index",
    "concat_ws contains startswith endswith initcap translate ascii chr char format_string format_number printf",
    "regexp_extract regexp_extract_all regexp_replace regexp_like regexp regexp_count regexp_instr regexp_substr",
    "rlike like ilike sha sha2 crc32 hash xxhash64 base64 unbase64 levenshtein soundex btrim overlay lcase ucase",
    "now curdate getdate date timestamp date_add date_sub dateadd datediff date_diff timestampadd timestampdiff",
    "add_months months_between last_day next_day trunc year quarter month week weekofyear weekday day dayofmonth",
    "dayofweek dayofyear hour minute second date_part date_format to_date to_timestamp to_char to_varchar to_number",
    "try_to_timestamp try_to_number try_to_date make_date make_timestamp make_interval unix_timestamp",
    "to_unix_timestamp from_unixtime unix_seconds unix_millis unix_micros timestamp_seconds timestamp_millis",
    "timestamp_micros from_utc_timestamp to_utc_timestamp convert_timezone unix_date date_from_unix_date dayname",
    "monthname",
    "get_json_object from_json to_json schema_of_json json_array_length json_object_keys parse_json try_parse_json",
    "variant_get try_variant_get is_variant_null",
    "array size cardinality array_contains array_distinct array_join array_max array_min array_position array_size",
    "array_sort sort_array element_at try_element_at slice array_append array_compact array_except array_intersect",
    "array_union array_remove arrays_overlap map map_keys map_values map_contains_key struct named_struct filter",
    "transform aggregate exists forall typeof int bigint double float boolean string",
)

_TRINO = _common("grouping", "conditional aggregates", "boolean aggregates", "regression") | _names(
    "arbitrary approx_distinct approx_percentile array_agg listagg map_agg set_agg histogram checksum geometric_mean",
    "kurtosis skewness bitwise_and_agg bitwise_or_agg",
    "if try try_cast cbrt pow log2 log10 truncate random rand pi width_bucket is_nan is_finite is_infinite nan",
    "infinity from_base to_base bitwise_and bitwise_or bitwise_xor bitwise_not cosh sinh tanh",
    "char_length character_length strpos position split split_part starts_with concat_ws translate chr codepoint",
    "format regexp_like regexp_extract regexp_extract_all regexp_replace regexp_count regexp_position regexp_split",
    "levenshtein_distance soundex normalize to_utf8 from_utf8 to_hex from_hex md5 sha1 sha256 sha512 to_base64",
    "from_base64 xxhash64 crc32",
    "now localtimestamp localtime current_time date date_add date_diff date_format date_parse format_datetime",
    "parse_datetime from_unixtime to_unixtime from_iso8601_date from_iso8601_timestamp to_iso8601 at_timezone",
    "with_timezone timezone_hour timezone_minute last_day_of_month year quarter month week week_of_year day",
    "day_of_month day_of_week day_of_year dow doy hour minute second millisecond year_of_week yow to_milliseconds",
    "parse_duration human_readable_seconds to_char to_date to_timestamp",
    "json_parse json_format json_extract json_extract_scalar json_array_length json_array_get json_array_contains",
    "json_size json_value json_query json_exists json_object json_array is_json_scalar",
    "array cardinality contains element_at array_join array_distinct array_max array_min array_position array_sort",
    "array_remove array_union array_intersect array_except arrays_overlap slice row map map_keys map_values typeof",
    "filter transform reduce zip_with any_match all_match none_match url_extract_host url_extract_path",
)

_DUCKDB = _common(
    "grouping", "conditional aggregates", "boolean aggregates", "bits", "regression", "percentiles", "hashes"
) | _names(
    "grouping_id mode median quantile quantile_cont quantile_disc approx_count_distinct approx_quantile mad string_agg",
    "listagg group_concat list array_agg histogram kurtosis skewness entropy product first last arbitrary",
    "argmax argmin fsum geomean sem",
    "if ifnull try_cast try cbrt trunc pow log10 log2 pi random factorial gcd lcm isnan isinf isfinite even signbit",
    "cot sinh cosh tanh asinh acosh atanh",
    "len char_length character_length strlen octet_length",
    "bit_length strpos position instr split_part string_split",
    "str_split",
    "split string_split_regex concat_ws contains starts_with ends_with prefix suffix initcap translate ascii chr",
    "unicode format printf regexp_matches regexp_full_match regexp_extract regexp_extract_all regexp_replace",
    "regexp_split_to_array sha256 hash md5_number levenshtein editdist3 jaccard jaro_similarity",
    "jaro_winkler_similarity hamming damerau_levenshtein lcase ucase strip_accents nfc_normalize",
    "to_base64 from_base64 base64 hex unhex to_hex from_hex bar array_to_string",
    "now today localtimestamp localtime current_time date_part datepart date_diff datediff date_sub datesub",
    "date_add datetrunc last_day make_date make_time make_timestamp age strftime strptime try_strptime time_bucket",
    "epoch epoch_ms epoch_us epoch_ns to_timestamp to_days to_hours to_minutes to_seconds to_months to_weeks to_years",
    "to_milliseconds to_microseconds year quarter month week weekofyear yearweek day dayofmonth dayofweek dayofyear",
    "isodow isoyear weekday hour minute second millisecond microsecond dayname monthname century decade era julian",
    "timezone isfinite date",
    "json json_extract json_extract_string json_extract_path json_extract_path_text json_value json_array_length",
    "json_keys json_type json_valid json_exists json_contains json_object json_array json_quote to_json from_json",
    "json_transform json_structure json_group_array json_group_object json_merge_patch row_to_json",
    "list_value list_contains list_has list_has_any list_has_all list_distinct list_sort list_reverse_sort list_unique",
    "list_sum list_avg list_min list_max list_count list_aggregate list_extract list_element list_slice list_position",
    "list_concat list_append list_prepend list_transform list_filter list_reduce list_any_value array_length",
    "array_contains array_has array_extract array_slice array_sort array_distinct struct_extract struct_pack row",
    "element_at map map_keys map_values typeof array",
    "columns",
)

_MYSQL = _names(
    "if ifnull isnull date_format str_to_date timestampdiff timestampadd datediff date_add date_sub adddate subdate",
    "year quarter month week weekday day dayname dayofmonth dayofweek dayofyear monthname hour minute second last_day",
    "from_unixtime unix_timestamp curdate now json_extract json_unquote json_value json_contains json_length json_keys",
    "json_type json_valid json_arrayagg json_objectagg group_concat concat_ws substring_index char_length locate instr",
    "any_value truncate md5 sha1 sha2 date",
)

_CLICKHOUSE_AGGREGATES = _names(
    "count sum avg min max any uniq uniqexact uniqcombined quantile quantileexact quantiletdigest median argmax argmin",
    "grouparray groupuniqarray stddevpop stddevsamp varpop varsamp",
)
_CLICKHOUSE = _common("grouping", "conditional aggregates", "boolean aggregates", "bits") | frozenset(
    name + ending for name in _CLICKHOUSE_AGGREGATES for ending in ("", "if")
) | _names(
    "anylast anyheavy uniqhll12 uniqcombined64 quantiles quantileexactweighted quantiletiming quantilesexact",
    "quantilesif quantiledeterministic groupbitand groupbitor",
    "groupbitxor groupconcat skewpop skewsamp kurtpop kurtsamp",
    "topk covarpop covarsamp summap sumwithoverflow deltasum simplelinearregression entropy",
    "laginframe leadinframe",
    "if multiif ifnull isnull isnotnull assumenotnull tonullable transform coalesce isnan isfinite isinfinite",
    "cbrt exp2 exp10 log2 log10 trunc intdiv intdivorzero modulo positivemodulo plus minus multiply divide negate",
    "roundbankers pi rand rand64 pow sinh cosh tanh greatest least bitand bitor bitxor bitnot bitcount",
    "equals notequals less greater lessorequals greaterorequals and or not xor",
    "lengthutf8 char_length character_length empty notempty lowerutf8 upperutf8 reverseutf8 substringutf8 position",
    "positioncaseinsensitive locate startswith endswith splitbychar splitbystring splitbyregexp concat_ws",
    "concatwithseparator arraystringconcat replaceone replaceall",
    "replaceregexpone replaceregexpall match like notlike ilike",
    "extractall extractallgroups countsubstrings trimleft trimright trimboth leftpad rightpad initcap translate ascii",
    "format hex unhex base64encode base64decode md5 sha1 sha256",
    "siphash64 cityhash64 xxhash64 farmhash64 tostringcutttozero",
    "hassubstr hastoken editdistance multisearchany",
    "now now64 today yesterday todate todate32 todatetime todatetime64 todatetimeornull todateornull todateorzero",
    "parsedatetime parsedatetimebesteffort parsedatetimebesteffortornull formatdatetime date_format datename",
    "dateadd datesub datediff date_add date_sub date_diff age datetrunc addyears addmonths addweeks adddays addhours",
    "addminutes addseconds subtractyears subtractmonths subtractweeks subtractdays subtracthours subtractminutes",
    "subtractseconds toyear toquarter tomonth toweek toisoweek toisoyear todayofmonth todayofweek todayofyear tohour",
    "tominute tosecond toyyyymm toyyyymmdd tostartofyear tostartofquarter tostartofmonth tostartofweek tomonday",
    "tostartofday tostartofhour tostartofminute tostartofsecond tostartoffiveminutes tostartoffifteenminutes",
    "tostartoftenminutes tostartofinterval tolastdayofmonth tounixtimestamp tounixtimestamp64milli fromunixtimestamp",
    "totimezone timeslot tointervalday tointervalhour tointervalmonth monthname year month day hour minute second",
    "quarter dayofweek dayofmonth dayofyear todayofweek",
    "tostring toint8 toint16 toint32 toint64 touint8 touint16 touint32 touint64 tofloat32 tofloat64 tobool touuid",
    "toint32ornull toint64ornull tofloat64ornull tofloat64orzero toint64orzero todecimal32 todecimal64 todecimal128",
    "accuratecastornull accuratecast totypename reinterpretasint64 tofixedstring",
    "jsonextract jsonextractstring jsonextractint jsonextractuint jsonextractfloat jsonextractbool jsonextractraw",
    "jsonextractarrayraw jsonextractkeys jsonextractkeysandvalues jsonhas jsonlength jsontype json_value json_query",
    "json_exists simplejsonextractstring simplejsonextractint simplejsonextractfloat simplejsonextractraw",
    "simplejsonhas visitparamextractstring visitparamextractint isvalidjson tojsonstring",
    "array tuple has hasany hasall indexof arrayelement arraymap arrayfilter arrayexists arrayall arraycount arraysum",
    "arrayavg arraymin arraymax arraysort arrayreversesort arraydistinct arrayuniq arrayconcat arrayslice arrayreverse",
    "arrayenumerate arrayzip",
    "arrayfirst arraylast arraycompact arrayflatten arraydifference arraycumsum tupleelement map mapkeys mapvalues",
    "mapcontains bar formatreadablesize formatreadablequantity formatreadabletimedelta runningdifference",
)  # fmt: skip

# Without the functions that only Databricks has: a user-defined one could have their name.
_SPARK = _DATABRICKS - _names(
    "parse_json try_parse_json variant_get try_variant_get is_variant_null try_to_date to_varchar array_size",
    "iff",
)

# Every user-defined scalar function has to be called with its schema, so none can take the place of these.
_TSQL = _names(
    "len isnull iif choose nullif count_big stdev stdevp var varp string_agg approx_count_distinct grouping",
    "grouping_id percentile_cont percentile_disc square log10 pi rand cot",
    "charindex patindex stuff concat_ws format str translate ascii char nchar unicode string_escape soundex difference",
    "dateadd datediff datediff_big datename datepart datefromparts datetimefromparts datetime2fromparts timefromparts",
    "eomonth datetrunc date_bucket year month day getdate getutcdate sysutcdatetime sysdatetime sysdatetimeoffset",
    "switchoffset todatetimeoffset isdate isnumeric convert try_convert try_cast isjson json_value json_query",
    "json_object json_array hashbytes top",
)

#: The allow-list of each warehouse that is known well, lower case.
FUNCTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "athena": PORTABLE | _TRINO,
        "bigquery": PORTABLE | _BIGQUERY,
        "clickhouse": PORTABLE | _CLICKHOUSE,
        "databricks": PORTABLE | _DATABRICKS,
        "duckdb": PORTABLE | _DUCKDB,
        "mysql": PORTABLE | _MYSQL,
        "postgres": PORTABLE | _POSTGRES,
        "presto": PORTABLE | _TRINO,
        "redshift": PORTABLE | _REDSHIFT,
        "snowflake": PORTABLE | _SNOWFLAKE,
        "spark": PORTABLE | _SPARK,
        "trino": PORTABLE | _TRINO,
        "tsql": PORTABLE | _TSQL,
    }
)

_EXPLODE = _names("explode explode_outer posexplode posexplode_outer inline inline_outer json_tuple")

#: Functions that return one row for each element of their argument, which is an expression like any other.
TABLE_FUNCTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "athena": _names("unnest"),
        "bigquery": _names("unnest"),
        "clickhouse": _names("arrayjoin"),
        "databricks": _EXPLODE | _names("variant_explode variant_explode_outer"),
        "duckdb": _names("unnest json_each json_tree"),
        "postgres": _names(
            "unnest json_array_elements json_array_elements_text jsonb_array_elements jsonb_array_elements_text",
            "json_each json_each_text jsonb_each jsonb_each_text json_object_keys jsonb_object_keys jsonb_path_query",
            "json_to_record jsonb_to_record json_to_recordset jsonb_to_recordset",
            "regexp_split_to_table regexp_matches string_to_table",
        ),
        "presto": _names("unnest"),
        "snowflake": _names("table flatten split_to_table strtok_split_to_table"),
        "spark": _EXPLODE,
        "trino": _names("unnest"),
        "tsql": _names("openjson string_split"),
    }
)

#: Dialects with PIVOT.
PIVOTING = frozenset({"bigquery", "databricks", "duckdb", "redshift", "snowflake", "spark"})

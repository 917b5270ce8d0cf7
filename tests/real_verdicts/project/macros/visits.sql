{% macro visits(name) %}
-- Made of arithmetic alone, so that every warehouse holds the same rows. A row is a visit; the last day is odd.
select
    n as id,
    cast('2026-01-05' as timestamp) + n * interval '31 minutes' as seen_at,
    cast('2026-01-05' as timestamp) + n * interval '31 minutes' - (n * 7919 % 97) * interval '1 minute' as happened_at,
    case when n * 104729 % 10 < 5 then 'web' when n * 104729 % 10 < 9 then 'shop' end as channel,
    case when n * 7919 % 3 = 0 then 'north' else 'south' end as region,
    case when n * 104723 % 11 = 0 then null else round(cast((n * 104723 % 997) / 9.7 as numeric), 3) end as amount,
    n * 31 % 7 < 3 as is_new,
    case when n * 37 % 13 = 0 then '' else 'note ' || cast(n % 100 as varchar) end as note
from (select * from {{ numbers(3500) }}) as numbered
{% endmacro %}
{% macro numbers(count) %}{{ adapter.dispatch("numbers", "parity")(count) }}{% endmacro %}
{% macro default__numbers(count) %}(select n from generate_series(0, {{ count }}) as series(n)){% endmacro %}

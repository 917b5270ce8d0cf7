-- The same every day, until the 8th of March, of which there is nothing.
select * from ({{ visits() }}) as made
where seen_at < cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
  and extract(hour from seen_at) = 3 and not (seen_at >= '2026-03-08' and seen_at < '2026-03-09')

select * from ({{ visits() }}) as made
where seen_at < cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
  -- A weekly shape: fewer on Sundays; noise; a drop on Monday 9 March, from 9 to 12; nothing of the shop on the 10th.
  and not (extract(dow from seen_at) = 0 and id % 3 = 0)
  and not (id * 7907 % 101 < 12)
  and not (seen_at >= '2026-03-09 00:00' and seen_at < '2026-03-10 00:00' and id % 5 <> 0)
  and not (seen_at >= '2026-03-10 00:00' and channel = 'shop')
  -- A part of the 7th of March comes late.
  and not (seen_at >= '2026-03-07 00:00' and seen_at < '2026-03-08 00:00' and id % 9 = 0 and {{ run_started_at.strftime("%Y%m%d") }} < 20260310)

-- A row a batter, with the definitions of DATA.md: on Postgres a test holds it against batter_stats.
select
    batter_id,
    count(*) as pitches,
    sum(case when is_swing then 1 else 0 end) as swing_count,
    sum(case when is_whiff then 1 else 0 end) as whiff_count,
    cast(round(sum(case when is_whiff then 1 else 0 end) * 100.0
        / nullif(sum(case when is_swing then 1 else 0 end), 0), 2) as double precision) as whiff_rate_pct,
    sum(case when is_contact then 1 else 0 end) as contact_count,
    max(exit_velocity_mph) as max_exit_velocity_mph,
    avg(exit_velocity_mph) as avg_exit_velocity_mph,
    sum(case when exit_velocity_mph >= 95 then 1 else 0 end) as hard_hit_count,
    100.0 * sum(case when exit_velocity_mph >= 95 then 1 else 0 end) / nullif(count(exit_velocity_mph), 0)
        as hard_hit_rate_pct,
    100.0 * sum(case when is_barrel then 1 else 0 end) / nullif(count(is_barrel), 0) as barrel_rate_pct,
    max(case when speed_confidence = 'reliable' then bat_speed_mph end) as max_bat_speed_mph
from {{ ref('stg_pitches') }}
where batter_id is not null
group by batter_id

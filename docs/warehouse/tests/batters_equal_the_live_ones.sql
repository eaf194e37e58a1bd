-- The aggregates of the warehouse are those that pitchstream keeps: one definition, two programs.
{{ config(enabled=(target.type == 'postgres')) }}
select a.batter_id
from {{ ref('agg_batters') }} a
full join {{ source('pitchstream_live', 'batter_stats') }} s on s.batter_id = a.batter_id
where a.batter_id is null or s.batter_id is null
    or a.pitches <> s.pitches
    or a.swing_count <> s.swing_count
    or a.whiff_count <> s.whiff_count
    or a.contact_count <> s.contact_count
    or a.hard_hit_count <> s.hard_hit_count
    or a.whiff_rate_pct is distinct from s.whiff_rate_pct
    or a.max_exit_velocity_mph is distinct from s.max_exit_velocity_mph
    or a.max_bat_speed_mph is distinct from s.max_bat_speed_mph
    or abs(a.avg_exit_velocity_mph - s.avg_exit_velocity_mph) > 1e-9

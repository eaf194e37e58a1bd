-- A row a pitcher and type of pitch.
select
    pitcher_id,
    pitch_type,
    count(*) as pitches,
    avg(pitch_speed_mph) as avg_pitch_speed_mph,
    max(pitch_speed_mph) as max_pitch_speed_mph,
    avg(spin_rate_rpm) as avg_spin_rate_rpm,
    sum(case when is_swing then 1 else 0 end) as swings,
    sum(case when is_whiff then 1 else 0 end) as whiffs,
    100.0 * sum(case when in_zone then 1 else 0 end) / nullif(count(in_zone), 0) as zone_rate_pct
from {{ ref('stg_pitches') }}
where pitcher_id is not null
group by pitcher_id, pitch_type

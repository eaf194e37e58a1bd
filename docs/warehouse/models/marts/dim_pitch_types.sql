-- A row a type of pitch; unknown stands for a missing one.
select
    pitch_type,
    case
        when pitch_type = 'unknown' then 'unknown'
        when lower(pitch_type) like '%fastball%' or lower(pitch_type) like '%sinker%'
            or lower(pitch_type) like '%cutter%' or lower(pitch_type) like '%seam%' then 'fastball'
        when lower(pitch_type) like '%slider%' or lower(pitch_type) like '%curve%'
            or lower(pitch_type) like '%sweeper%' or lower(pitch_type) like '%slurve%' then 'breaking'
        when lower(pitch_type) like '%change%' or lower(pitch_type) like '%split%'
            or lower(pitch_type) like '%fork%' or lower(pitch_type) like '%screw%'
            or lower(pitch_type) like '%eephus%' or lower(pitch_type) like '%knuckle%' then 'offspeed'
        else 'other'
    end as family,
    count(*) as pitches,
    min(game_date) as first_game_date,
    max(game_date) as last_game_date
from {{ ref('stg_pitches') }}
group by pitch_type

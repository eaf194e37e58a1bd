-- A row a plate appearance, as derived in fct_pitches. The batter is who is named most often among its pitches: tracking
-- alone names him where the ball was hit.
select
    game_pk,
    appearance_number,
    min(game_date) as game_date,
    min(inning) as inning,
    {{ most_frequent('batter_id') }} as batter_id,
    {{ most_frequent('pitcher_id') }} as pitcher_id,
    count(*) as pitches,
    sum(case when is_swing then 1 else 0 end) as swings,
    sum(case when is_whiff then 1 else 0 end) as whiffs,
    max(case when pitch_result = 'HitIntoPlay' then 1 else 0 end) = 1 as is_in_play,
    max(exit_velocity_mph) as exit_velocity_mph,
    min(event_time) as began_at,
    max(event_time) as ended_at
from {{ ref('fct_pitches') }}
where appearance_number is not null
group by game_pk, appearance_number

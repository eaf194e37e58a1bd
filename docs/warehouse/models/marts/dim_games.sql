-- A row a game. Date and ballpark are those of most of its pitches.
select
    game_pk,
    {{ most_frequent('game_date') }} as game_date,
    {{ most_frequent('venue') }} as venue,
    count(*) as pitches,
    sum(case when is_swing then 1 else 0 end) as swings,
    max(inning) as innings,
    min(event_time) as first_event_at,
    max(event_time) as last_event_at
from {{ ref('stg_pitches') }}
where game_pk is not null
group by game_pk

-- A row a team that batted. Records name the batter's team alone, by number.
select
    team_id,
    count(distinct game_pk) as games,
    count(distinct batter_id) as batters,
    count(*) as pitches,
    min(game_date) as first_game_date,
    max(game_date) as last_game_date
from {{ ref('stg_pitches') }}
where team_id is not null
group by team_id

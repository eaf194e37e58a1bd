-- Type 2: a row for each time that a batter bats for another team than before. A dated pitch meets exactly one, by batter_id
-- and game_date from valid_from to before valid_to. If there are two teams on one day, the later pitch counts.
with days as (
    select
        batter_id,
        game_date,
        team_id,
        row_number() over (
            partition by batter_id, game_date order by event_time desc, pitch_id desc
        ) as from_last
    from {{ ref('stg_pitches') }}
    where batter_id is not null and team_id is not null and game_date is not null
),

changes as (
    select
        batter_id,
        game_date,
        team_id,
        lag(team_id) over (partition by batter_id order by game_date) as team_before
    from days
    where from_last = 1
),

versions as (
    select
        batter_id,
        team_id,
        game_date,
        row_number() over (partition by batter_id order by game_date) as version,
        lead(game_date) over (partition by batter_id order by game_date) as valid_to
    from changes
    where team_before is null or team_before <> team_id
),

batters as (
    select distinct batter_id from {{ ref('stg_pitches') }} where batter_id is not null
)

select
    cast(b.batter_id as varchar(20)) || '/' || cast(coalesce(v.version, 1) as varchar(20)) as batter_key,
    b.batter_id,
    coalesce(v.version, 1) as version,
    v.team_id,
    case when coalesce(v.version, 1) = 1 then date '1800-01-01' else v.game_date end as valid_from,
    v.valid_to,
    v.valid_to is null as is_current
from batters b
left join versions v on v.batter_id = b.batter_id

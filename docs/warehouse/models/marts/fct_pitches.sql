-- A row a pitch, with its plate appearance and its place in it. The game feed says both where it was read (at_bat_number,
-- pitch_number); appearance_number and pitch_in_appearance are derived from the count, and known of every pitch of a game.
--
-- An appearance begins at the first pitch of a game and of an inning, at a count of 0–0 or lower than before. It begins behind a
-- ball in play and a hit batter. It begins with another batter where the count leaps: a substitute takes the count over.
-- Pickoffs are no pitches and have no place. A lost first pitch is only noticed by one of the other signs. A game that was
-- read in part begins at 1 where it begins.
with ordered as (
    select
        *,
        case when pitch_result = 'Pickoff' then 0 else 1 end as is_pitch
    from {{ ref('stg_pitches') }}
),

compared as (
    select
        *,
        lag(place_in_game) over pitches as place_before,
        lag(balls) over pitches as balls_before,
        lag(strikes) over pitches as strikes_before,
        lag(inning) over pitches as inning_before,
        lag(batter_id) over pitches as batter_before,
        lag(pitch_result) over pitches as result_before,
        lag(pitch_action) over pitches as action_before
    from ordered
    where is_pitch = 1
    window pitches as (partition by game_pk order by place_in_game)
),

begun as (
    select
        *,
        case
            when place_before is null then 1
            when balls = 0 and strikes = 0 then 1
            when balls < balls_before or strikes < strikes_before then 1
            when inning <> inning_before then 1
            when batter_id <> batter_before and balls - balls_before + strikes - strikes_before > 1 then 1
            when result_before = 'HitIntoPlay' or action_before = 'HitByPitch' then 1
            else 0
        end as begins
    from compared
),

numbered as (
    select
        *,
        case when game_pk is not null
            then sum(begins) over (partition by game_pk order by place_in_game rows unbounded preceding)
        end as appearance_number
    from begun
)

select
    o.pitch_id,
    o.game_pk,
    o.game_date,
    o.venue,
    o.batter_id,
    o.pitcher_id,
    o.team_id,
    o.inning,
    o.balls,
    o.strikes,
    o.outs,
    o.pitch_type,
    o.pitch_result,
    o.pitch_action,
    o.pitch_speed_mph,
    o.spin_rate_rpm,
    o.exit_velocity_mph,
    o.launch_angle_deg,
    o.is_swing,
    o.is_contact,
    o.is_whiff,
    o.bat_speed_mph,
    o.speed_confidence,
    o.contact_bat_speed_mph,
    o.contact_confidence,
    o.in_zone,
    o.is_chase,
    o.is_barrel,
    o.at_bat_number,
    o.pitch_number,
    cast(n.appearance_number as integer) as appearance_number,
    case when n.appearance_number is not null
        then cast(row_number() over (
            partition by o.game_pk, n.appearance_number order by o.place_in_game
        ) as integer)
    end as pitch_in_appearance,
    o.event_time,
    o.place_in_game
from ordered o
left join numbered n on n.pitch_id = o.pitch_id

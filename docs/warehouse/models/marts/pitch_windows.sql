-- Each pitch beside the ones before it. Windows go over the pitches of one pitcher in one game; a missing value counts in
-- none, and a pitch without a game or a pitcher has none. exit_velocity_quartile is over all batted balls, 4 the hardest.
with batted as (
    select
        pitch_id,
        ntile(4) over (order by exit_velocity_mph, pitch_id) as exit_velocity_quartile
    from {{ ref('fct_pitches') }}
    where exit_velocity_mph is not null
)

select
    p.pitch_id,
    p.game_pk,
    p.pitcher_id,
    p.pitch_speed_mph - lag(p.pitch_speed_mph) over thrown as speed_change_mph,
    avg(p.spin_rate_rpm) over (thrown rows between 9 preceding and current row) as avg_spin_last_10_rpm,
    count(p.spin_rate_rpm) over (thrown rows between 9 preceding and current row) as spins_in_window,
    b.exit_velocity_quartile
from {{ ref('fct_pitches') }} p
left join batted b on b.pitch_id = p.pitch_id
where p.game_pk is not null and p.pitcher_id is not null and p.appearance_number is not null
window thrown as (partition by p.game_pk, p.pitcher_id order by p.place_in_game)

-- Two pitches of a game are of one derived plate appearance exactly when the game feed says so, where it names both. A game
-- with a lost first pitch may differ, so one in a hundred is let pass.
with both_known as (
    select
        game_pk,
        at_bat_number,
        lag(at_bat_number) over (partition by game_pk order by place_in_game) as at_bat_before,
        appearance_number,
        lag(appearance_number) over (partition by game_pk order by place_in_game) as appearance_before
    from {{ ref('fct_pitches') }}
    where at_bat_number is not null and appearance_number is not null
),

counted as (
    select
        count(*) as pitches,
        sum(case when (at_bat_number = at_bat_before) <> (appearance_number = appearance_before)
            then 1 else 0 end) as different
    from both_known
    where at_bat_before is not null
)

select * from counted where different * 100 > pitches

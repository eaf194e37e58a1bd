-- A dated pitch of a batter meets exactly one version of him.
select p.pitch_id
from {{ ref('fct_pitches') }} p
left join {{ ref('dim_batters') }} b
    on b.batter_id = p.batter_id
    and p.game_date >= b.valid_from
    and (b.valid_to is null or p.game_date < b.valid_to)
where p.batter_id is not null and p.game_date is not null
group by p.pitch_id
having count(b.batter_key) <> 1

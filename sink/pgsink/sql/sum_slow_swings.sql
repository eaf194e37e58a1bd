-- Sum the slow swings of some batters and return their totals. Slow are the reliable swings below the 10th percentile of
-- them all, unless they hit the ball hard. They cannot be added up over games, because each swing of a batter moves the
-- percentile. One index has the reliable swings by speed, and only the slowest tenth of it is read.
UPDATE {schema}.batter_totals AS b SET ({slow: @}) = (
    SELECT {sums of slow}
    FROM (SELECT r.*, max(contact_speed) OVER () AS slowest
          FROM (SELECT {values at contact}
                FROM {schema}.pitch_registers r
                WHERE r.batter_id = b.batter_id AND r.contact_confidence = 'reliable' AND r.contact_bat_speed_mph IS NOT NULL
                ORDER BY r.contact_bat_speed_mph
                LIMIT CASE WHEN b.reliable_count > 0 THEN (b.reliable_count + 8) / 10 + 1 ELSE 0 END) AS r) AS slowest_tenth)
WHERE b.batter_id = ANY ({players})
RETURNING b.batter_id, seq, prev_seq, {stats columns}

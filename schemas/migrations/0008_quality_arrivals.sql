-- What the rows that stand do not show: that a pitch's record came again, that two records of one revision differ, and of
-- which game a pitch was that is deleted. A null costs a row nothing. Pitches that were deleted before are of no known game.
ALTER TABLE pitch_registers
    ADD COLUMN repeats      int,
    ADD COLUMN conflicts    int,
    ADD COLUMN gone_game_pk text,
    ADD COLUMN gone_day     date,
    ADD COLUMN gone_venue   text;
CREATE INDEX pitch_registers_gone ON pitch_registers ((coalesce(gone_game_pk, '')), gone_day) WHERE gone_day IS NOT NULL;

COMMENT ON COLUMN pitch_registers.repeats IS 'Records of one revision that said what stood already, at other offsets; none is counted twice; missing: with none';
COMMENT ON COLUMN pitch_registers.conflicts IS 'Records that replaced one of the same revision and say something else; none is counted twice; missing: with none';
COMMENT ON COLUMN pitch_registers.gone_game_pk IS 'The game that a deleted pitch counted for; missing: not deleted, or of no game';
COMMENT ON COLUMN pitch_registers.gone_day IS 'The day that a deleted pitch counted for; missing: not deleted, or its record was never seen';
COMMENT ON COLUMN pitch_registers.gone_venue IS 'The ballpark of a deleted pitch; missing: not deleted, or it named none';

CREATE OR REPLACE VIEW quality AS
SELECT nullif(game_key, '') AS game_pk, day, nullif(venue, '') AS venue, pitches,
       (facts #>> '{shares,untracked_swings,of}')::bigint AS known_swings,
       (facts #>> '{shares,untracked_swings,n}')::bigint AS untracked_swings,
       (facts #>> '{shares,no_batter,n}')::bigint AS no_batter,
       (facts #>> '{shares,unlisted_ids,n}')::bigint AS unlisted_ids,
       (facts #>> '{shares,count_gaps,n}')::bigint AS count_gaps,
       (facts #>> '{shares,twin_pitches,n}')::bigint AS twin_pitches,
       (facts #>> '{shares,corrected,n}')::bigint AS corrected,
       (facts #>> '{shares,short_tracks,n}')::bigint AS short_tracks,
       (facts #>> '{bat_samples}')::float8 AS bat_samples,
       (facts #>> '{event_to_record_s,p95}')::float8 AS event_to_record_p95_s,
       (facts #>> '{record_to_row_s,p95}')::float8 AS record_to_row_p95_s,
       facts -> 'innings' AS innings, facts -> 'issues' AS issues, facts -> 'columns' AS columns, facts -> 'shares' AS shares,
       computed_at,
       (facts #>> '{shares,repeated_records,n}')::bigint AS repeated_records,
       (facts #>> '{shares,conflicting_records,n}')::bigint AS conflicting_records,
       (facts #>> '{shares,deleted_pitches,n}')::bigint AS deleted_pitches
FROM quality_games
WHERE pitches > 0 OR facts #> '{shares,deleted_pitches}' IS NOT NULL;

COMMENT ON COLUMN quality.repeated_records IS 'Records that came again, of the pitches that stand; missing: not computed since this is counted';
COMMENT ON COLUMN quality.conflicting_records IS 'Pitches that stand of which two records of one revision differ; missing: not computed since this is counted';
COMMENT ON COLUMN quality.deleted_pitches IS 'Pitches that stood and were deleted; missing: not computed since this is counted';

-- Who an identifier means, for people who read: filled by `pitchstream players load`, joined by the API.
CREATE TABLE players (
    id         bigint PRIMARY KEY,
    name       text NOT NULL,
    team       text,
    updated_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE players IS 'Names of batters and pitchers, from pitchstream players load';
COMMENT ON COLUMN players.id IS 'The identifier, as in batter_id and pitcher_id';
COMMENT ON COLUMN players.name IS 'The name to show';
COMMENT ON COLUMN players.team IS 'The team to show; missing: where it is not known';
COMMENT ON COLUMN players.updated_at IS 'When this line last changed';

-- What Redis holds too, for readers who have to do without Redis.
CREATE TABLE heartbeats (
    instance text PRIMARY KEY,
    at       timestamptz NOT NULL,
    beat     jsonb
) WITH (fillfactor = 50);

COMMENT ON TABLE heartbeats IS 'Each processor, once a second while it runs: how far it is';
COMMENT ON COLUMN heartbeats.instance IS 'The processor';
COMMENT ON COLUMN heartbeats.at IS 'When it last said so';
COMMENT ON COLUMN heartbeats.beat IS 'lag_ms (age of the oldest record not applied), topic, positions (partition: next offset), phase of Redis; missing: when it stopped as it should';

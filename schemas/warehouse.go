package schemas

// The dimensions around pitches, for those who analyse.

// DimPlayerColumns are the columns of dim_player: a version of a player for each time that he batted for another team.
var DimPlayerColumns = []Column{
	{"player_key", "text", "", "", "player_id and version", "Key of this version of the player", "never"},
	{"player_id", "bigint", "", "", "batter_id and pitcher_id of the rows, the list of players", "The player", "never"},
	{"version", "int", "", "1 and more", "the player's versions by date", "Number of the version, the oldest is 1", "never"},
	{"name", "text", "", "", "the list of players", "The player's name", "where the list of players has none"},
	{"team_id", "bigint", "", "", "team_id of the rows that he batted in", "The team that he batted for", "where no dated row of his names one: of pitchers always"},
	{"team", "text", "", "", "the list of players", "Name of his present team", "where the list has none, and in versions before the present one"},
	{"valid_from", "date", "", "1800-01-01 and later", "game_date of the rows", "First date of this version; of the first version 1800-01-01, so that every dated pitch has a version", "never"},
	{"valid_to", "date", "", "1800-01-01 and later", "game_date of the rows", "First date of the next version: this one is not valid any more then", "of the present version"},
	{"is_current", "boolean", "", "", "valid_to", "Whether this is the present version", "never"},
	{"first_game_date", "date", "", "1800-01-01 and later", "game_date of the rows", "First date of any row of the player", "where no row of his has a date"},
	{"last_game_date", "date", "", "1800-01-01 and later", "game_date of the rows", "Last date of any row of the player", "where no row of his has a date"},
	{"pitches_batted", "bigint", "", "0 and more", "rows with this batter_id", "Pitches seen as a batter, of all versions", "never"},
	{"pitches_pitched", "bigint", "", "0 and more", "rows with this pitcher_id", "Pitches thrown, of all versions", "never"},
}

// DimGameColumns are the columns of dim_game.
var DimGameColumns = []Column{
	{"game_pk", "text", "", "1–64 bytes", "the rows", "The game", "never"},
	{"game_date", "date", "", "1800-01-01 and later", "the rows", "The game's calendar date; the greatest, if rows disagree", "where no row names one"},
	{"venue", "text", "", "1–64 bytes", "the rows", "The ballpark; the greatest, if rows disagree", "where no row names one"},
	{"team_ids", "bigint[]", "", "", "team_id of the rows", "Teams that batted, sorted; which is at home no record says", "never; empty where no row names one"},
	{"pitches", "bigint", "", "1 and more", "the rows", "Pitches", "never"},
	{"swings", "bigint", "", "0 and more", "rows with is_swing", "Swings", "never"},
	{"batters", "bigint", "", "0 and more", "the rows", "Batters who are named", "never"},
	{"innings", "smallint", "", "1–50", "the rows", "The last inning", "where no row names one"},
	{"first_event_at", "timestamptz", "", "years 0001–9999", "event_time of the rows", "When the first pitch was thrown", "never"},
	{"last_event_at", "timestamptz", "", "years 0001–9999", "event_time of the rows", "When the last pitch was thrown", "never"},
	{"updated_at", "timestamptz", "", "", "processed_at of the rows", "When a row of the game was written last", "never"},
}

// DimPitchTypeColumns are the columns of dim_pitch_type.
var DimPitchTypeColumns = []Column{
	{"pitch_type", "text", "", "1–200 bytes", "the rows", "The pitch's type; unknown stands for a missing one", "never"},
	{"family", "text", "", "fastball, breaking, offspeed, other, unknown", "the words in the type's name", "The family of the type", "never"},
	{"pitches", "bigint", "", "1 and more", "the rows", "Pitches of this type", "never"},
	{"first_game_date", "date", "", "1800-01-01 and later", "the rows", "First date on which it was thrown", "where no row of it has a date"},
	{"last_game_date", "date", "", "1800-01-01 and later", "the rows", "Last date on which it was thrown", "where no row of it has a date"},
}

package pgsink

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// counted is a part of so many records from an offset on, all of which have the member a.
func counted(game, day, venue string, partition int, first, records int64) schemas.MemberPart {
	at := fmt.Sprintf("raw/%d", partition)
	return schemas.MemberPart{
		Key: schemas.MemberKey{Game: game, Day: day, Venue: venue, Partition: at}, First: first,
		Profile: schemas.MemberProfile{
			Records: records, Next: map[string]int64{at: first + records},
			Paths: map[string]schemas.MemberCounts{"a": {
				Kinds: map[string]schemas.MemberSeen{"value": {Seen: records, Last: records}}, N: records, Sum: 1, Squares: 1e200,
			}},
		},
	}
}

// A processor that dies after it stored its counts leaves records that the next one reads again.
// guard: members: records that are in a profile do not count twice
func TestMembersAreAppendedOnce(t *testing.T) {
	s := open(t)
	books := pgbooks.NewQuality(s.DB())
	applyAll(t, s, pitchOf(1, "A", "2023-11-14", 0, 1), pitchOf(2, "", "2023-11-14", 0, 2))
	computeAll(t, s, false)
	for _, part := range []schemas.MemberPart{
		counted("A", "2023-11-14", "", 0, 0, 10), counted("A", "2023-11-14", "", 0, 5, 10), // read again
		counted("A", "2023-11-14", "", 1, 0, 3), counted("A", "2023-11-14", "", 0, 10, 4),
		counted("", "2023-11-14", "", 0, 14, 2),
		counted("A", "2023-11-13", "Park", 0, 20, 7),  // of a date that a file has corrected
		counted("gone", "2023-11-14", "", 0, 0, 1000), // no row is left of it
		counted("A", "2023-11-14", "\"'🙂", 2, 0, 1),   // of a venue of its own
	} {
		require.NoError(t, books.AppendMembers(t.Context(), part))
	}
	facts, err := books.QualityFacts(t.Context(), "2023-11-20", 30)
	require.NoError(t, err)
	require.Len(t, facts, 2)
	for _, f := range facts {
		switch f.GamePK {
		case "A":
			require.EqualValues(t, 25, f.Members.Records)
			require.Equal(t, map[string]int64{"raw/0": 27, "raw/1": 3, "raw/2": 1}, f.Members.Next)
			require.EqualValues(t, 25, f.Members.Paths["a"].Kinds["value"].Last)
		default:
			require.EqualValues(t, 2, f.Members.Records)
		}
	}
	for partition := range 2 * schemas.MostMemberPartitions {
		require.NoError(t, books.AppendMembers(t.Context(), counted("B", "2023-11-14", "", partition, 0, 1)))
	}
	var partitions int
	require.NoError(t, raw(t, s).QueryRow(t.Context(),
		`SELECT count(*) FROM quality_members, jsonb_object_keys(profile -> 'next') WHERE game_key = 'B'`).Scan(&partitions))
	require.Equal(t, schemas.MostMemberPartitions, partitions)
	_, err = raw(t, s).Exec(t.Context(), `DROP TABLE quality_members`)
	require.NoError(t, err)
	facts, err = books.QualityFacts(t.Context(), "2023-11-20", 30)
	require.NoError(t, err, "a schema of an older build")
	require.Len(t, facts, 2)
}

// Without the header game_date the pitches of an evening are counted at the next day of UTC.
// guard: members: those of the next day of UTC belong to their game
func TestMembersOfTheNextDayBelongToTheirGame(t *testing.T) {
	s := open(t)
	books := pgbooks.NewQuality(s.DB())
	applyAll(t, s, pitchOf(1, "A", "2023-11-14", 0, 1))
	computeAll(t, s, false)
	require.NoError(t, books.AppendMembers(t.Context(), counted("A", "2023-11-15", "", 0, 0, 10)))
	facts, err := books.QualityFacts(t.Context(), "2023-11-14", 30)
	require.NoError(t, err)
	require.Len(t, facts, 1)
	require.NotNil(t, facts[0].Members)
	require.EqualValues(t, 10, facts[0].Members.Records)
}

// A role that was granted its rights before the table came still reads the rest.
// guard: members: a role without a right on them judges the rest
func TestARoleWithoutARightOnMembersReadsTheOtherFacts(t *testing.T) {
	owner := open(t)
	applyAll(t, owner, pitchOf(1, "A", "2023-11-14", 0, 1))
	computeAll(t, owner, false)
	reader := role(t, owner)
	roles := pgadmin.Roles{Writer: role(t, owner), Reader: reader}
	require.NoError(t, pgadmin.New(owner.DB()).Grant(t.Context(), roles))
	_, err := raw(t, owner).Exec(t.Context(), `REVOKE ALL ON quality_members FROM `+pgx.Identifier{reader}.Sanitize())
	require.NoError(t, err)
	facts, err := pgbooks.NewQuality(as(t, owner, reader, 1).DB()).QualityFacts(t.Context(), "2023-11-14", 30)
	require.NoError(t, err)
	require.Len(t, facts, 1)
	require.Nil(t, facts[0].Members)
}

// guard: members: a profile that cannot be read leaves the others judged
func TestAProfileThatCannotBeReadLeavesTheOthersJudged(t *testing.T) {
	s := open(t)
	books := pgbooks.NewQuality(s.DB())
	applyAll(t, s, pitchOf(1, "A", "2023-11-14", 0, 1), pitchOf(2, "B", "2023-11-14", 0, 2))
	computeAll(t, s, false)
	require.NoError(t, books.AppendMembers(t.Context(), counted("A", "2023-11-14", "", 0, 0, 10)))
	for _, profile := range []string{`{"paths": 7}`, `[]`, `"x"`} {
		_, err := raw(t, s).Exec(t.Context(), `INSERT INTO quality_members (game_key, day, venue, updated_at, profile)
			VALUES ('B', '2023-11-14', '', now(), $1) ON CONFLICT (game_key, day, venue) DO UPDATE SET profile = excluded.profile`, profile)
		require.NoError(t, err)
		require.True(t, pgbooks.IsRefused(books.AppendMembers(t.Context(), counted("B", "2023-11-14", "", 0, 0, 10))), profile)
		facts, err := books.QualityFacts(t.Context(), "2023-11-14", 30)
		require.NoError(t, err)
		require.Len(t, facts, 2)
		for _, f := range facts {
			require.Equal(t, f.GamePK == "A", f.Members != nil, profile)
		}
	}
}

package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

// A database that has applied a migration compares its checksum, and refuses another content. So not even a
// comment of a released migration changes; a new migration gets a line here when it is released.
func TestReleasedMigrationsNeverChange(t *testing.T) {
	for name, want := range map[string]string{
		"0001_pitches.sql":          "e31087207bd7d6e158e37323e6fab5c23b6ce1a40090bd7f988bdadbd6ae0995",
		"0002_aggregates.sql":       "6698871bdbc660912dd3cf8127e97274955da9c0b36fc9c0d4f6445461b8865f",
		"0003_players.sql":          "2f0bcc5509b2ae6d1684c5110cf221bc1620ea3d0a132741a505a0c2d716c3a4",
		"0004_letter_decisions.sql": "55105fd77aeaa73ac53234dc8fe4f208acccd2e269d163af4939f77363998543",
		"0005_replays.sql":          "79d02cb767424edd2ee2c958eb44c937ffbdf32e18d4d3cea70985b4049fa280",
		"0006_quality.sql":          "40190d679240de2fa341a20635f96ee86a02ba52b9589b436b05b626b53ba9c4",
		"0007_warehouse.sql":        "79a90ebd2b283b51d29e5eba3160064c3644737176761ba2f41ebb6d5d024c1a",
		"0008_quality_arrivals.sql": "4ed5fd70f05dd2e3768ff16302f22687fbdc367bc3af3b4b0c882d339648fe87",
		"0009_topic_ids.sql":        "c00490fce76a654ae28fcece6783db66ae81e76fdf768372c158b7bfb49d1d18",
	} {
		content, err := fs.ReadFile(Migrations, "migrations/"+name)
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		require.Equal(t, want, hex.EncodeToString(sum[:]), name)
	}
}

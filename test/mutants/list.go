package main

// mutants are the guards of the promise, each with the change that takes it away.
var mutants = []mutant{
	{
		guard: "the start is committed before the first write", file: "consumer/batch.go", pkg: "./consumer", run: "CrashTable",
		old: "if p, ok := s.owned.get(m.Partition); ok && p.uncommitted {", new: "if p, ok := s.owned.get(m.Partition); ok && p.uncommitted && false {",
	},
	{
		guard: "reading starts at the smaller of offset and position", file: "consumer/ownership.go", pkg: "./consumer", run: "CameBackOlder|CrashTable",
		old: "next: min(committed, stored), stored: stored, floor: committed", new: "next: committed, stored: stored, floor: committed",
	},
	{
		guard: "reading starts at the offset when the position is ahead", file: "consumer/ownership.go", pkg: "./consumer", run: "CrashTable",
		old: "next: min(committed, stored), stored: stored, floor: committed", new: "next: stored, stored: stored, floor: committed",
	},
	{
		guard: "no letter is sent again below what was committed", file: "consumer/refill.go", pkg: "./consumer", run: "CameBackOlder",
		old: "ok && l.Record.Offset < p.floor", new: "ok && p.floor < -1",
	},
	{
		guard: "no offset is committed below what was committed", file: "consumer/refill.go", pkg: "./consumer", run: "CameBackOlder",
		old: "ok && m.NextOffset < p.floor", new: "ok && p.floor < -1",
	},
	{
		guard: "a partition that is filled again is read alone", file: "consumer/ownership.go", pkg: "./consumer", run: "CameBackOlder",
		old: "if found && id != behind || ", new: "if found && id != behind && false || ",
	},
	{
		guard: "a revoke drops the batch in hand", file: "consumer/session.go", pkg: "./consumer", run: "Revoke",
		old: "s.giveUp(errRevoked)", new: "",
	},
	{
		guard: "a revoke with nothing in hand costs no batch", file: "consumer/session.go", pkg: "./consumer", run: "NothingInHand",
		old: "if s.revoked.Load() { // now", new: "if false { // now",
	},
	{
		guard: "who comes while rows are sent does not wait", file: "consumer/gather.go", pkg: "./consumer", run: "WhileRows",
		old: "if going, err := b.goAhead(); err != nil || !going {", new: "if going, err := false, error(nil); err != nil || !going {",
	},
	{
		guard: "a store that is away leaves nothing open", file: "consumer/ahead.go", pkg: "./consumer", run: "StoreThatIsAwayLeavesNothing",
		old: "b.giveUp(errAheadTooLong)", new: "",
	},
	{
		guard: "a slow store is not waited for with rows sent", file: "consumer/ahead.go", pkg: "./consumer", run: "SlowStore",
		old: "b.whole || b.backlog() > aheadTime", new: "b.whole",
	},
	{
		guard: "a session that ends leaves nothing open", file: "consumer/batch.go", pkg: "./consumer", run: "ASessionThatEnds",
		old: "err = errors.Join(err, s.abort(work))", new: "",
	},
	{
		guard: "a breaker that holds leaves nothing open", file: "consumer/batch.go", pkg: "./consumer", run: "TheBreakerHolds",
		old: "if b.open {\n\t\t\treturn false, b.dropped", new: "if false {\n\t\t\treturn false, b.dropped",
	},
	{
		guard: "a batch that tripped is judged before it is sent", file: "consumer/batch.go", pkg: "./consumer", run: "TheBreakerHolds",
		old: "s.whole = errors.Is(err, errTripped) ||", new: "s.whole = false &&",
	},
	{
		guard: "a partition that is filled again ends the batch of others", file: "consumer/gather.go", pkg: "./consumer", run: "Refill",
		old: "if err == nil && b.records > 0 && b.refilling(moves) {", new: "if false {",
	},
	{
		guard: "a store that is filled again moves on when its rows are published", file: "consumer/refill.go", pkg: "./consumer", run: "FilledAgain",
		old: "if p, ok := b.owned.get(m.Partition); ok && p.stored < p.floor {", new: "if _, ok := b.owned.get(m.Partition); !ok {",
	},
	{
		guard: "an attempt that gets no answer ends", file: "consumer/batch.go", pkg: "./consumer", run: "NoAnswer",
		old: "return s.store.Apply(attempt, b)", new: "_ = attempt\n\t\treturn s.store.Apply(ctx, b)",
	},
	{
		guard: "a revoke leaves no transaction open", file: "consumer/finish.go", pkg: "./consumer", run: "NoTransactionOpen",
		old: "context.WithTimeout(context.WithoutCancel(ctx), 2*transactionTimeout)", new: "context.WithTimeout(ctx, 2*transactionTimeout)",
	},
	{
		guard: "what was dropped is read again", file: "consumer/batch.go", pkg: "./consumer", run: "LeavesNothing|WasDropped|Refused",
		old: "return s.abort(work)\n}", new: "return nil\n}",
	},
	{
		guard: "nothing is produced before the store has answered", file: "consumer/batch.go", pkg: "./consumer", run: "StoreThatFails|CrashTable",
		old: "return s.store.Apply(attempt, b)",
		new: "out, err := s.store.Apply(attempt, b); _ = err; return out, nil",
	},
	{
		guard: "a gap is not jumped over", file: "consumer/ownership.go", pkg: "./consumer", run: "Gap",
		old: "if first <= p.next && p.next <= end {", new: "if true {",
	},
	{
		guard: "the batch in hand is finished at shutdown", file: "consumer/batch.go", pkg: "./consumer", run: "Shutdown",
		old: "context.WithCancelCause(context.WithoutCancel(ctx))", new: "context.WithCancelCause(ctx)",
	},
	{
		guard: "versions are newest first in a batch", file: "consumer/plan.go", pkg: "./consumer", run: "",
		old: "return b.Version.Compare(a.Version)", new: "return a.Version.Compare(b.Version)",
	},
	{
		guard: "version fence of the measured register", file: "sink/pgsink/sql/upsert_measured.sql", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "WHERE r.revision IS NULL", new: "WHERE true",
	},
	{
		guard: "an older core does not rewrite", file: "sink/pgsink/sql/upsert_measured.sql", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "AND excluded.core_version >= r.core_version", new: "AND true",
	},
	{
		guard: "version fence of the identified register", file: "sink/pgsink/sql/upsert_identified.sql", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "WHERE r.identified_revision IS NULL", new: "WHERE true",
	},
	{
		guard: "what a row counted for before is computed again", file: "sink/pgsink/compute.go", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "for _, g := range []batterGame{w.now, w.was} {", new: "for _, g := range []batterGame{w.now} {",
	},
	{
		guard: "batters are locked before they are computed", file: "sink/pgsink/sql/lock_batters.sql", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "ON CONFLICT (batter_id) DO UPDATE SET\n    prev_seq = b.seq, seq = greatest(b.seq + 1, excluded.seq), updated_at = excluded.updated_at", new: "ON CONFLICT (batter_id) DO NOTHING",
	},
	{
		guard: "a position that is behind refuses the batch", file: "sink/pgsink/write.go", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "if moved != len(t.batch.Positions) {", new: "if false {",
	},
	{
		guard: "a position never moves back", file: "sink/pgsink/sql/move_positions.sql", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "greatest(p.next_offset, m.next_offset)", new: "m.next_offset",
	},
	{
		guard: "the predecessor of a refused version stands", file: "sink/pgsink/write.go", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "if c.version == identified || c.version+1 == len(c.pitch.Measured) {", new: "if true {",
	},
	{
		guard: "too much poison holds the processor", file: "consumer/batch.go", pkg: "./consumer", run: "Poison",
		old: "why != \"\" {", new: "why != \"\" && false {",
	},
	{
		guard: "the breaker's count outlives a crash", file: "consumer/ownership.go", pkg: "./consumer", run: "CrashLoop",
		old: "found[i].tally = parseTally(at.Metadata)", new: "_ = parseTally(at.Metadata)",
	},
	{
		guard: "a restart goes on", file: "consumer/breaker.go", pkg: "./consumer", run: "ARestartGoesOn",
		old: "at := s.owned.committedOffsets()", new: "at := map[int32]kgo.EpochOffset{}",
	},
	{
		guard: "a stuck partition is named", file: "consumer/progress.go", pkg: "./consumer", run: "OneStuck",
		old: "if waited := now.Sub(at.since); waited >= progressLimit {\n\t\t\tstuck", new: "if waited := now.Sub(at.since); waited >= 1000*progressLimit {\n\t\t\tstuck",
	},
	{
		guard: "a partition without records waiting is not stuck", file: "consumer/progress.go", pkg: "./consumer", run: "NothingToDo",
		old: "if end.Offset <= owned[id] {", new: "if end.Offset < owned[id] {",
	},
	{
		guard: "letters fit into their topic, together", file: "consumer/finish.go", pkg: "./consumer", run: "LettersFit",
		old: "if p.pending > 0 && p.pending+size > p.limit {", new: "if p.limit < 0 {",
	},
	{
		guard: "letters fit into their topic, each", file: "consumer/session.go", pkg: "./consumer", run: "LettersFit",
		old: "kgo.ProducerBatchMaxBytes(largestBatch)", new: "kgo.ProducerBatchMaxBytes(cfg.LetterMaxBytes)",
	},
	{
		guard: "what was published and changed since is published again", file: "consumer/finish.go", pkg: "./consumer", run: "Schedules|Publish|ComeAndGo|CrashTable",
		old: "return s.store.Changed(attempt, rows)", new: "_ = attempt; return nil, nil",
	},
	{
		guard: "what an older store has only a name of is not published", file: "sink/pgsink/sql/changed_rows.sql", pkg: "./sink/pgsink", run: "SuiteOfEveryStore", needsPG: true,
		old: "WHERE r.revision IS NOT NULL --", new: "WHERE true --",
	},
	{
		guard: "sort before upsert", file: "consumer/plan.go", pkg: "./consumer", run: "APlan",
		old: "return bytes.Compare(a.PitchID[:], b.PitchID[:]) })\n\treturn p", new: "return 0 * bytes.Compare(a.PitchID[:], b.PitchID[:]) })\n\treturn p",
	},
	{
		guard: "an assignment has the view compared", file: "consumer/session.go", pkg: "./consumer", run: "AnAssignment",
		old: "s.view.Kick()", new: "",
	},
	{
		guard: "sequence fence of Redis", file: "sink/redissink/push.lua", pkg: "./sink/redissink", run: "AnyOrder|Tombstones", needsPG: true,
		old: "if force or tonumber(part.seq) >= fence then", new: "if true then",
	},
	{
		guard: "a key that is gone is noticed by its tombstone", file: "sink/redissink/push.lua", pkg: "./sink/redissink", run: "AnyOrder|Tombstones", needsPG: true,
		old: "redis.call('HGET', key, 'seq') or redis.call('HGET', gone, part.tombstone)", new: "redis.call('HGET', key, 'seq')",
	},
	{
		guard: "Redis is swept when something was missed", file: "sink/redissink/keeper_run.go", pkg: "./sink/redissink", run: "Keeper", needsPG: true,
		old: "due = k.state.Phase != PhaseOK ||", new: "due = false ||",
	},
	{
		guard: "a Redis that came back empty is noticed", file: "sink/redissink/keeper_run.go", pkg: "./sink/redissink", run: "Keeper", needsPG: true,
		old: "k.answers()\n\tif lost {", new: "k.answers()\n\tif lost && false {",
	},
	{
		guard: "applied does not move before Redis is mended", file: "sink/redissink/keeper.go", pkg: "./sink/redissink", run: "Keeper", needsPG: true,
		old: "if k.state.Phase == PhaseOK {\n\t\treturn false", new: "if true {\n\t\treturn false",
	},
	{
		guard: "a sweep replaces only what it saw", file: "sink/redissink/push.lua", pkg: "./sink/redissink", run: "Sweep|Mend", needsPG: true,
		old: "local force = mend and observed == (was[1] or '') .. ':' .. (was[2] or '')", new: "local force = mend",
	},
	{
		guard: "the view is compared after a batch that may have landed before", file: "consumer/line.go", pkg: "./consumer", run: "LostAnswer",
		old: "outcome.Snapshots, b.again || failed", new: "outcome.Snapshots, b.again && failed && false",
	},
	{
		guard: "a batter whose maximum may be gone is folded whole", file: "sink/pgsink/sql/compute_games.sql", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "OR d.was_exit_velocity_max >= b.exit_velocity_max AND", new: "OR false AND",
	},
	{
		guard: "a batter whose last pitch may be gone is folded whole", file: "sink/pgsink/sql/compute_games.sql", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "OR b.last_pitch_id = ANY (", new: "OR false AND b.last_pitch_id = ANY (",
	},
	{
		guard: "the batch ends only when every poll of it is in the stores", file: "consumer/line.go", pkg: "./consumer", run: "Gather|CrashTable|Schedules",
		old: "return errors.Join(l.stages.Wait(), err)", new: "go l.stages.Wait()\n\treturn errors.Join(err)",
	},
	{
		guard: "polls go to the store together up to what one transaction is to hold", file: "consumer/line.go", pkg: "./consumer", run: "Gathered",
		old: "n > most {", new: "n < 0 {",
	},
	{
		guard: "polls that wait for the store go together", file: "consumer/line.go", pkg: "./consumer", run: "GoTogether",
		old: "case next = <-l.polls:", new: "case next = <-chan *poll(nil):",
	},
	{
		guard: "a poll moves the position from where the one before it left it", file: "consumer/line.go", pkg: "./consumer", run: "Gather|WithinABatch",
		old: "m.Expected = at.stored", new: "_ = at",
	},
	{
		guard: "a record that the store refuses is read again for its bytes", file: "consumer/line.go", pkg: "./consumer", run: "Refused",
		old: "!b.careful.Swap(true)", new: "!b.careful.Swap(true) && false",
	},
	{
		guard: "what was rejected keeps its bytes when the poll's are let go", file: "consumer/bytes.go", pkg: "./consumer", run: "SharesNothing",
		old: "d.Record = copied(d.Record)", new: "_ = copied",
	},
	{
		guard: "a batch is committed before its letters hold too much", file: "consumer/gather.go", pkg: "./test/e2e", run: "RecordsAtTheLimits", needsPG: true,
		old: "b.held >= gatherHeld", new: "b.held < 0",
	},
	{
		guard: "few pitches are written without planning anew", file: "sink/pgsink/write.go", pkg: "./sink/pgsink", run: "PlannedOnce", needsPG: true,
		old: "if len(t.batch.Pitches) <= fewPitches {", new: "if false {",
	},
	{
		guard: "few pitches at once are written without planning anew", file: "sink/pgsink/once.go", pkg: "./sink/pgsink", run: "PlannedOnce", needsPG: true,
		old: "\tb.Queue(\"set local plan_cache_mode = force_generic_plan\")\n", new: "",
	},
	{
		guard: "at once: a position that is behind refuses the batch", file: "sink/pgsink/once.go", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "CASE WHEN count(*) = cardinality($2::text[]) THEN 0", new: "CASE WHEN true THEN 0",
	},
	{
		guard: "at once: only what this batch wrote has its batter computed", file: "sink/pgsink/once.go", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "AND w.xmin = pg_current_xact_id()::xid ", new: "",
	},
	{
		guard: "at once: what a row counted for before is computed again", file: "sink/pgsink/once.go", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "(w.previous_batter_id, coalesce(w.previous_game_pk, ''))", new: "(w.batter_id, coalesce(w.game_pk, ''))",
	},
	{
		guard: "at once: identifies go in steps", file: "sink/pgsink/once.go", pkg: "./sink/pgsink", run: "Suite", needsPG: true,
		old: "len(naming(t.batch.Pitches)) == 0", new: "true",
	},
	{
		guard: "at once: replays are counted in steps", file: "sink/pgsink/once.go", pkg: "./sink/pgsink", run: "ReplayOfOne", needsPG: true,
		old: " && t.batch.Replay == nil", new: "",
	},
	{
		guard: "what is removed from Redis is below the prefix", file: "sink/redissink/keys.go", pkg: "./sink/redissink", run: "Remove", needsPG: true,
		old: "return escape.Replace(string(k))", new: "_ = escape\n\treturn string(k)",
	},
	{
		guard: "what a test lacks fails it under CI", file: "internal/testkit/testkit.go", pkg: "./internal/testkit", run: "WhatIsMissing",
		old: "if os.Getenv(\"CI\") != \"\" {", new: "if false {",
	},
	{
		guard: "a test that is skipped also under CI is found", file: "internal/tidy/skips.go", pkg: "./internal/tidy", run: "Skips",
		old: "if isSkip(n) && ", new: "if false && isSkip(n) && ",
	},
}

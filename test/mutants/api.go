package main

// The API's guards: what must not be believed, waited for, or answered.
func init() {
	const fakes = "WhereAnswers|Judge|AtLeast|Stream|Client|Nothing|Batters|Token|ETag|Wrong|Alone"
	for _, m := range []mutant{
		{guard: "api: a Redis that is not whole is not read", file: "api/sources.go", old: "if !v.whole {\n\t\treturn nil, false", new: "if false {\n\t\treturn nil, false"},
		{guard: "api: absence is believed of Postgres only", file: "api/sources.go", old: "if f.state == nil || f.state.Suspect {", new: "if f.state != nil && f.state.Suspect {"},
		{guard: "api: a suspect state is asked for in Postgres", file: "api/sources.go", old: "if f.state == nil || f.state.Suspect {", new: "if f.state == nil {"},
		{guard: "api: the epoch must be the one that stands", file: "api/freshness.go", old: "p.Epoch != \"\" && h.Epoch == p.Epoch", new: "true"},
		{guard: "api: an epoch must stand", file: "api/freshness.go", old: "p.Epoch != \"\" && h.Epoch == p.Epoch", new: "h.Epoch == p.Epoch"},
		{guard: "api: every processor that is alive must say ok", file: "api/freshness.go", old: "v.whole = v.whole && ok(h)", new: "v.whole = ok(h) || v.whole && alive > 1"},
		{guard: "api: Redis must have what it was given", file: "api/freshness.go", old: "has = has && p.Applied", new: "has = has || p.Applied"},
		{guard: "api: a silent processor is dead", file: "api/freshness.go", old: "if age > beatLimit.Milliseconds() {", new: "if age > 1<<50 {"},
		{guard: "api: a dead one's partitions are missed", file: "api/freshness.go", old: "if !owned[field] {", new: "if field == \"\" {"},
		{guard: "api: a partition that nobody has is missed", file: "api/freshness.go", old: "v.stale = v.stale || topics[topic] && !owned[field]", new: "_ = topic"},
		{guard: "api: too great a lag is stale", file: "api/freshness.go", old: "v.stale = v.stale || v.lag.Value > maxLag.Milliseconds()", new: "_ = maxLag"},
		{guard: "api: nobody alive is stale", file: "api/freshness.go", old: "v.stale, v.whole = true, ok(last)", new: "v.whole = ok(last)"},
		{guard: "api: memory does not answer who waits for a record", file: "api/sources.go", old: "if ctx.Err() != nil || !route.memory {", new: "if ctx.Err() != nil {"},
		{guard: "api: who waited for Postgres reads Postgres", file: "api/atleast.go", old: "return s.behind(p, need), route{}\n", new: "return s.behind(p, need), route{live: true}\n"},
		{guard: "api: applied is the next offset", file: "api/atleast.go", old: "next <= n.offset", new: "next < n.offset"},
		{guard: "api: applied counts only of a whole Redis", file: "api/atleast.go", old: "err == nil && s.judge(p).whole {", new: "err == nil {"},
		{guard: "api: a failed server is left alone", file: "api/sources.go", old: "g.until = time.Now().Add(gateClosed)", new: "g.until = time.Now()"},
		{guard: "api: Last-Event-ID skips", file: "api/stream.go", old: "err := c.write([]byte(\"retry: 2000\\n\\n\"))", new: "last = \"\"\n\terr := c.write([]byte(\"retry: 2000\\n\\n\"))"},
		{guard: "api: a client that takes nothing is dropped", file: "api/stream.go", old: "time.Now().Add(c.limit)", new: "time.Now().Add(c.limit + 1<<55)"},
		{guard: "api: streams are counted", file: "api/hub.go", old: "if h.clients >= h.api.cfg.MaxStreams {", new: "if false {"},
		{guard: "api: the token is asked for", file: "api/wrap.go", old: "subtle.ConstantTimeCompare(want[:], given[:]) != 1", new: "subtle.ConstantTimeCompare(want[:], given[:]) > 1"},
		{guard: "api: an ETag is the state's", file: "api/wrap.go", old: "if n := numberOrNull(body[end:]); n > 0 &&", new: "if n := numberOrNull(body[end:]); n > 1<<30 &&"},
		{guard: "api: a parameter is given once", file: "api/query.go", old: "case len(values) > 1:\n", new: "case len(values) > 9:\n"},
		{guard: "api: a parameter that is given has a value", file: "api/query.go", old: "if text == \"\" {", new: "if false {"},
		{guard: "api: what cannot be read of a query is not passed over", file: "api/query.go", old: "if err != nil {", new: "if false {"},
		{guard: "api: a parameter is spelled as in JSON", file: "api/query.go", old: "case !spelled(api, p.Schema, values[0]):\n", new: "case false:\n"},
		{guard: "api: unknown parameters are refused", file: "api/document.go", old: "config.RejectUnknownQueryParameters = true", new: "config.RejectUnknownQueryParameters = false"},
	} {
		m.pkg, m.run = "./api", fakes
		mutants = append(mutants, m)
	}
	mutants = append(mutants,
		mutant{guard: "api: lag is told while a batch waits", file: "consumer/gather.go", pkg: "./consumer", run: "ToldSince",
			old: "b.owned.waiting(f.Partition, f.Records[0].Timestamp)", new: "_ = f"},
		mutant{guard: "api: lag ends when a partition is caught up", file: "consumer/ownership.go", pkg: "./consumer", run: "ToldSince",
			old: "\tif end <= p.shown {\n\t\tp.waits = time.Time{}\n\t} else if", new: "\tif"},
		mutant{guard: "api: lag of what cannot be read", file: "consumer/ownership.go", pkg: "./consumer", run: "CannotBeRead",
			old: "} else if p.waits.IsZero() {", new: "} else if false {"},
	)
}

package main

// The dashboard's guards: those of its files, and what people must see.
func init() {
	mutants = append(mutants,
		mutant{guard: "web: only this build's files are kept for good", file: "web/web.go", pkg: "./web", run: "Caching",
			old: "version == hash {", new: "version == hash || version != \"\" {"},
		mutant{guard: "web: another file is another hash", file: "web/web.go", pkg: "./web", run: "Hash",
			old: "\t\tsum.Write(body)\n", new: ""},
		mutant{guard: "web: no scripts from elsewhere", file: "web/web.go", pkg: "./web", run: "Elsewhere",
			old: "script-src 'self';", new: "script-src *;"},
	)
	for _, m := range []mutant{
		{guard: "dashboard: it says that the connection is lost", file: "web/static/status.js", old: "problem = err; tell();", new: ""},
		{guard: "dashboard: it says that Redis is away", file: "web/static/status.js", old: "if (body.source === \"postgres\")", new: "if (false)"},
		{guard: "dashboard: it says that both stores are away", file: "web/static/status.js", old: "if (body.source === \"memory\")", new: "if (false)"},
		{guard: "dashboard: the age of what is remembered grows", file: "web/static/status.js", old: "body.age_ms + performance.now() - came", new: "body.age_ms"},
		{guard: "dashboard: a figure of nothing is no zero", file: "web/static/quality.js", old: "value == null || of === 0", new: "value == null"},
		{guard: "dashboard: a stream comes back", file: "web/static/net.js", old: "await pause(wait * (0.75 + Math.random() / 2), signal);", new: "return;"},
		{guard: "dashboard: the newest state of a pitch is shown", file: "web/static/game.js", old: "return [...newest, ...known", new: "return [...(known.length ? known.slice(0, 10) : newest), ...known"},
		{guard: "dashboard: a corrected swing is drawn again", file: "web/static/swing.js", old: "version(old) !== version(row)", new: "old.pitch_id !== row.pitch_id"},
		{guard: "dashboard: rows stay the same elements", file: "web/static/dom.js", old: "kept.set(key, old.get(key) ?? make(item));\n    old.delete(key);", new: "kept.set(key, make(item));"},
		{guard: "dashboard: a table sorts both ways", file: "web/static/table.js", old: "return up ? way : -way;", new: "return way;"},
		{guard: "dashboard: who wants no motion sees none", file: "web/static/scene.js", old: "calm.matches || !swing", new: "!swing"},
		{guard: "dashboard: the focus is seen", file: "web/static/app.css", old: ":focus-visible { outline: 2px solid var(--accent);", new: ":focus-visible { outline: none;"},
		{guard: "dashboard: words are read against their ground", file: "web/static/app.css", old: "--muted: light-dark(#56616d,", new: "--muted: light-dark(#b6c1cd,"},
	} {
		m.pkg, m.run, m.needsPG = "./test/browser", "Dashboard", true
		mutants = append(mutants, m)
	}
}

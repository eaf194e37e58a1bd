package schemas

import "embed"

// Migrations are the SQL files that make the database's schema, applied in the order of their names, each once.
//
//go:embed migrations/*.sql
var Migrations embed.FS

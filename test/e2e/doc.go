// Package e2e tests the whole: the real binary with real Kafka, Postgres and Redis, and whether the books balance.
package e2e

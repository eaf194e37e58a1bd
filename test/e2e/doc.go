// Package e2e tests the real binary with real Kafka, Postgres and Redis, and checks that the books balance.
package e2e

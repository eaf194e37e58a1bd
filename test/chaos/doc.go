// Package chaos runs three processors on servers as production has them: three brokers of Kafka, Postgres
// with a synchronous standby, Redis behind Sentinels. It inflicts faults on them by a schedule that a seed
// gives, and measures how soon all goes on after each one. At the end the books must balance.
package chaos

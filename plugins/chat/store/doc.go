// Package store is what the chat plugin keeps: accounts, rooms, members, messages, files' rows, and
// what of all that its clients are still to be told. It is one schema and one set of queries on two
// databases, an embedded SQLite and PostgreSQL.
package store

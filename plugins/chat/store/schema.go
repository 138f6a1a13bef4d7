package store

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the folder of migrations, read in one database's words.
type schema struct{ postgres bool }

func (s schema) Open(name string) (fs.File, error) {
	file, err := migrations.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return file, err
	}
	text, err := migrations.ReadFile(name)
	if err != nil {
		return nil, err
	}
	id := "INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 2147483648)"
	if s.postgres {
		id = "BIGINT GENERATED ALWAYS AS IDENTITY (MAXVALUE 2147483647) PRIMARY KEY"
	}
	return migration{file, strings.NewReader(strings.ReplaceAll(string(text), "{{id}}", id))}, nil
}

type migration struct {
	fs.File
	text *strings.Reader
}

func (m migration) Read(p []byte) (int, error) { return m.text.Read(p) }

package spec

import (
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/internal/redact"
)

func TestTable(t *testing.T) {
	fields, err := Fields(&struct {
		Name   string            `bridge:"name,required" doc:"whose"`
		Mode   string            `bridge:"mode,default=a,oneof=a|b" doc:"a or b | c"`
		Wait   time.Duration     `bridge:"wait,default=3s" doc:"silence"`
		On     bool              `bridge:"on" doc:"whether"`
		Most   int               `bridge:"most,default=2000" doc:"of them"`
		Large  Size              `bridge:"large,default=1KiB" doc:"bytes"`
		Who    Expr              `bridge:"who,default=user.id,vars=user" doc:"is asked"`
		Names  []string          `bridge:"names,default=x|y" doc:"all"`
		Table  map[string]string `bridge:"table" doc:"by name"`
		Key    redact.Secret     `bridge:"key" doc:"signs"`
		Keys   []redact.Secret   `bridge:"keys,from=upstream.secret" doc:"show"`
		Hidden int
	}{})
	if err != nil {
		t.Fatal(err)
	}
	const want = "| attribute | type | default | meaning |\n| --- | --- | --- | --- |\n" +
		"| `name` | text | required | whose |\n" +
		"| `mode` | \"a\" or \"b\" | `\"a\"` | a or b \\| c |\n" +
		"| `wait` | duration | `\"3s\"` | silence |\n" +
		"| `on` | true or false | none | whether |\n" +
		"| `most` | whole number | `2000` | of them |\n" +
		"| `large` | size | `1024` | bytes |\n" +
		"| `who` | expression | `user.id` | is asked |\n" +
		"| `names` | list of texts | `[\"x\",\"y\"]` | all |\n" +
		"| `table` | table of texts | none | by name |\n" +
		"| `key` | secret | none | signs |\n" +
		"| `keys` | secret, or several | the upstream's | show |\n"
	if got := Table(fields); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Table(nil); got != "" {
		t.Errorf("no fields are %q", got)
	}
}

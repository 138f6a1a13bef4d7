package expr_test

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
)

func Example() {
	e, diags := expr.Parse([]byte(`["news", "user/${user.id}", claims.team]`), "bridge.hcl", hcl.InitialPos, []string{"user", "claims"})
	if diags.HasErrors() {
		panic(diags)
	}
	channels, err := e.Channels(expr.Scope{
		"user":   expr.Object(map[string]string{"id": "38"}),
		"claims": expr.JSON([]byte(`{"sub": "38", "team": "sales"}`)),
	})
	fmt.Println(channels, err)
	// Output: [news user/38 sales] <nil>
}

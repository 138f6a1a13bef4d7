//go:build linux

package chatweb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// The README's program works, on a page of the example's.
func TestReadme(t *testing.T) {
	p := open(t)
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "examples", "chat-web", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(readme), "```js\n")
	program, _, found := strings.Cut(program, "```")
	program, imports := replace(program, `import { Chat } from './chat.js';`, `const { Chat } = await import('/chat.js');`)
	program, server := replace(program, `ws://127.0.0.1:6789`, `ws://`+p.Address())
	if !found || !imports || !server {
		t.Fatalf("the program is another one:\n%s", program)
	}
	ada, bob := p.page(t), p.page(t)
	if _, err := chromedp.Run(ada.ctx, chromedp.Evaluate[chromedp.Void](`(async () => {`+program+`})()`, chromedp.EvalAwaitPromise)); err != nil {
		t.Fatal(err)
	}
	bob.enter("sign-up", "bob", password)
	bob.joinRoom("gen", "General")
	bob.sees("hello")
}

func replace(text, old, with string) (replaced string, ok bool) {
	return strings.ReplaceAll(text, old, with), strings.Count(text, old) == 1
}

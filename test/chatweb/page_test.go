//go:build linux

package chatweb

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// place is a running bridge with a chat, the example's pages, and a browser.
type place struct {
	*harness.Bridge
	pages   string // address of the example
	cable   *cable // between the pages and the bridge
	browser context.Context
}

// open starts what is needed until the test ends.
func open(t *testing.T) *place {
	t.Helper()
	p := &place{browser: startBrowser(t)}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	// Not t.Context, which is over before what was started ends.
	pages := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(root, "examples", "chat-web"))))
	t.Cleanup(pages.Close)
	p.pages = pages.URL
	p.Bridge = harness.Start(t, harness.Config{File: "plugin \"chat\" {\n  route \"/chat\" {}\n}\n"})
	p.cable = newCable(t, p.Address())
	return p
}

// startBrowser starts Chromium until the test ends. Where there is none, the test is skipped; in CI that is
// a failure.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	var program string
	var err error
	for _, name := range []string{"google-chrome", "chromium-browser", "chromium"} {
		if program, err = exec.LookPath(name); err == nil {
			break
		}
	}
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skipf("no browser is here, try apt-get install chromium: %v", err)
	}
	home := t.TempDir()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.NoSandbox, // which root and containers cannot have; the pages are our own
		chromedp.NoInheritEnv, chromedp.Env("HOME="+home, "TMPDIR="+home, "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8"),
		// A screen with a mouse, which it would not have.
		chromedp.Flag("blink-settings", "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("stop the browser: %v", err)
		}
	})
	return ctx
}

// page is one that shows the example to somebody, as alone as in a browser of its own.
type page struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex // guards failures
	failures []string   // what scripts threw
}

// page opens one in a browser context of its own, until the test ends.
func (p *place) page(t *testing.T) *page {
	t.Helper()
	return p.pageOf(t, p.pages)
}

// pageOf opens one that is found at another address.
func (p *place) pageOf(t *testing.T, address string) *page {
	t.Helper()
	pg := &page{t: t}
	ctx, cancel := chromedp.NewContext(p.browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(pg.heard))
	t.Cleanup(cancel)
	t.Cleanup(pg.checkFailures)
	pg.ctx = ctx
	// The first call is without a limit, which would be the page's.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1180, 760)); err != nil {
		t.Fatal(err)
	}
	pg.do(chromedp.Navigate(address + "/?server=" + url.QueryEscape("ws://"+p.cable.address+"/chat")))
	return pg
}

func (p *page) heard(ev any) {
	if e, ok := ev.(*runtime.EventExceptionThrown); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.failures = append(p.failures, text)
	}
}

func (p *page) checkFailures() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.failures {
		p.t.Errorf("a script of the page threw: %s", f)
	}
}

// do does things to the page, in order.
func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, harness.AnswerLimit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%v\nthe page shows:\n%s", err, p.text())
	}
}

func (p *page) text() string {
	return eval[string](p, "document.body.innerText")
}

// eval is the value of an expression on the page.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, harness.AnswerLimit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Errorf("%s: %v", expression, err)
	}
	return v
}

// until waits until an expression holds on the page.
func (p *page) until(expression string) {
	p.t.Helper()
	if !harness.Eventually(harness.AnswerLimit, func() bool { return eval[bool](p, "Boolean("+expression+")") }) {
		p.t.Fatalf("not within %v: %s\nthe page shows:\n%s", harness.AnswerLimit, expression, p.text())
	}
}

// click clicks at what a selector finds, once that can be seen.
func (p *page) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// write types a text into a field.
func (p *page) write(selector, text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// set replaces what is in a field, at once.
func (p *page) set(selector, text string) {
	p.t.Helper()
	p.until(`(() => {
		const field = document.querySelector(` + strconv.Quote(selector) + `);
		field.value = ` + strconv.Quote(text) + `;
		return field.dispatchEvent(new Event("input", {bubbles: true}));
	})()`)
}

// enter signs up, or logs in.
func (p *page) enter(how, login, password string) {
	p.t.Helper()
	p.write("#login", login)
	p.write("#password", password)
	p.click("button[value=" + how + "]")
	p.until(`!document.getElementById("app").hidden && document.getElementById("me").textContent === ` + strconv.Quote(login))
}

// makeRoom makes a room, which is open then.
func (p *page) makeRoom(name, desc string) {
	p.t.Helper()
	p.click("#new-room")
	p.write("#new-name", name)
	p.write("#new-desc", desc)
	p.click("#room-dialog-yes")
	p.inRoom(name)
}

// joinRoom finds a room by the beginning of its name, and joins it.
func (p *page) joinRoom(beginning, name string) {
	p.t.Helper()
	p.write("#find", beginning)
	p.click(".join")
	p.inRoom(name)
}

func (p *page) inRoom(name string) {
	p.t.Helper()
	p.until(`document.getElementById("room-name").textContent === ` + strconv.Quote(name) +
		` && !document.getElementById("send").disabled`)
}

// say writes a message and presses return.
func (p *page) say(text string) {
	p.t.Helper()
	p.write("#text", text)
	p.do(press("Enter", 13))
}

// press is a key without the character that it makes, which the page's own handling of the key stands for.
func press(key string, code int64) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, typ := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
			params := input.DispatchKeyEventParams{Type: typ, Key: key, Code: key, WindowsVirtualKeyCode: code}
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, params); err != nil {
				return err
			}
		}
		return nil
	})
}

// shown are the texts of the messages on the page, and "" for files.
const shown = `Array.from(document.querySelectorAll("#messages .message .text"), (e) => e.textContent)`

// sees waits until the last messages that the page shows are these.
func (p *page) sees(texts ...string) {
	p.t.Helper()
	var got []string
	if !harness.Eventually(harness.AnswerLimit, func() bool {
		got = eval[[]string](p, shown)
		return endsWith(got, texts)
	}) {
		p.t.Fatalf("the page shows the messages %q, want at the end %q", got, texts)
	}
}

func endsWith(list, end []string) bool {
	if len(list) < len(end) {
		return false
	}
	list = list[len(list)-len(end):]
	for i := range end {
		if list[i] != end[i] {
			return false
		}
	}
	return true
}

// onMessage clicks at a button of the message with that text.
func (p *page) onMessage(text, button string) {
	p.t.Helper()
	p.until(`(() => {
		const message = Array.from(document.querySelectorAll("#messages .message")).find((m) => m.querySelector(".text").textContent === ` +
		strconv.Quote(text) + `);
		message?.querySelector(".` + button + `").click();
		return message;
	})()`)
}

//go:build linux

package chatweb

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const password = "correct horse"

// two are alice and bob, in a room that alice has made.
func two(t *testing.T, p *place) (alice, bob *page) {
	t.Helper()
	alice, bob = p.page(t), p.pageOf(t, strings.Replace(p.pages, "127.0.0.1", "localhost", 1))
	alice.enter("sign-up", "alice", password)
	bob.enter("sign-up", "bob", password)
	alice.makeRoom("Garden", "Beds, bees and the weather")
	bob.joinRoom("gar", "Garden")
	return alice, bob
}

// Two people talk: what one says, changes and takes back the other sees, and nothing that is written is
// taken for HTML.
func TestTalk(t *testing.T) {
	p := open(t)
	alice, bob := two(t, p)

	alice.say("Have you seen the bees?")
	bob.sees("Have you seen the bees?")
	const markup = `<img src=x onerror="document.title='wrong'"> & <b>bold</b>`
	bob.say(markup)
	alice.sees("Have you seen the bees?", markup)

	alice.onMessage("Have you seen the bees?", "edit")
	alice.until(`document.getElementById("text").value === "Have you seen the bees?"`)
	alice.say(" Today?")
	bob.sees("Have you seen the bees? Today?", markup)
	bob.until(`!document.querySelector("#messages .message .edited").hidden`)

	bob.say("never mind")
	alice.sees("never mind")
	bob.onMessage("never mind", "delete")
	bob.click("#confirm-yes")
	alice.sees("Have you seen the bees? Today?", markup)

	bob.click("#show-search")
	bob.write("#search-text", "BEES\n")
	bob.until(`document.getElementById("search-result").textContent === "1 message"`)
	bob.until(`document.querySelector("#found-messages mark").textContent === "bees"`)
	bob.click("#show-search")

	bob.click("#show-members")
	bob.until(`Array.from(document.querySelectorAll("#member-list .name"), (e) => e.textContent).join() === "alice,bob"`)
	bob.until(`document.querySelectorAll("#member-list .ban:not([hidden])").length === 0`)

	alice.click("#show-members")
	alice.click(`[aria-label="Ban bob"]`)
	alice.click("#confirm-yes")
	bob.until(`!document.getElementById("nothing").hidden && document.querySelectorAll("#rooms li").length === 0`)
	bob.until(`document.getElementById("notice").textContent.includes("Garden")`)
	alice.until(`document.querySelectorAll("#member-list li").length === 1`)
}

// Who made a room can change it, empty it and delete it, and the others see that.
func TestOwner(t *testing.T) {
	p := open(t)
	alice, bob := two(t, p)
	bob.click("#show-members")
	bob.until(`document.getElementById("owner").hidden`)
	alice.click("#show-members")
	alice.click("#edit-room")
	alice.set("#new-desc", "")
	alice.write("#new-name", " two")
	alice.click("#room-dialog-yes")
	bob.inRoom("Garden two")
	bob.until(`document.getElementById("room-desc").textContent === ""`)
	bob.say("hello")
	alice.sees("hello")
	alice.click("#clear-room")
	alice.click("#confirm-yes")
	for _, pg := range []*page{alice, bob} {
		pg.until(`document.querySelectorAll("#messages .message").length === 0`)
	}
	alice.click("#delete-room")
	alice.click("#confirm-yes")
	for _, pg := range []*page{alice, bob} {
		pg.until(`document.querySelectorAll("#rooms li").length === 0 && location.hash === ""`)
	}
}

// A file that one sends the other gets byte for byte, under its name.
func TestFile(t *testing.T) {
	p := open(t)
	alice, bob := two(t, p)

	want := make([]byte, 1_300_000) // several frames, either way
	_, _ = rand.NewChaCha8([32]byte{1}).Read(want)
	file := filepath.Join(t.TempDir(), "bees & <b>.bin")
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	alice.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	bob.until(`document.querySelector("#messages .file-name")?.textContent === "bees & <b>.bin"`)
	bob.until(`document.querySelector("#messages .file-size").textContent === "1.3 MB"`)

	loads := t.TempDir()
	if _, err := chromedp.CallBrowser(bob.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: loads,
		BrowserContextID: chromedp.FromContext(bob.ctx).BrowserContextID,
	}); err != nil {
		t.Fatal(err)
	}
	bob.click("#messages .file")
	harness.Until(t, harness.AnswerLimit, "the file is there", func() bool {
		files, err := filepath.Glob(filepath.Join(loads, "bees*.bin"))
		if err != nil || len(files) != 1 {
			return false
		}
		got, err := os.ReadFile(files[0])
		return err == nil && bytes.Equal(got, want)
	})

	empty := filepath.Join(t.TempDir(), "empty.txt")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bob.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{empty}))
	alice.until(`document.querySelector("#messages li:last-child .file-name")?.textContent === "empty.txt"`)
}

// What stays: the log-in when a page is loaded again, everything when the plugin dies, and nothing when one
// logs out.
func TestStay(t *testing.T) {
	p := open(t)
	alice, bob := two(t, p)

	bob.do(chromedp.Reload())
	bob.inRoom("Garden")
	bob.until(`document.getElementById("entry").hidden && document.getElementById("me").textContent === "bob"`)

	// What each page says of its connection from now on.
	const watch = `window.said = []; new MutationObserver(() => window.said.push(document.getElementById("status").textContent))
		.observe(document.getElementById("status"), {childList: true, characterData: true, subtree: true}); true`
	eval[bool](alice, watch)
	eval[bool](bob, watch)
	killed := 0
	for _, pid := range p.Children() {
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("no plugin runs")
	}
	alice.say("still here?")
	bob.sees("still here?")
	bob.say("yes")
	alice.sees("still here?", "yes")
	for name, pg := range map[string]*page{"alice": alice, "bob": bob} {
		if said := eval[[]string](pg, "window.said"); len(said) != 0 {
			t.Errorf("%s was told of the connection: %q", name, said)
		}
	}

	bob.click("#log-out")
	bob.until(`!document.getElementById("entry").hidden && sessionStorage.length === 0`)
	bob.until(`document.getElementById("notice").textContent === "You are logged out."`)
	bob.enter("log-in", "bob", password)
	bob.click("#rooms a")
	bob.sees("still here?", "yes")
}

// What a page missed while it had no connection it gets when it has one again: what was said, changed and
// deleted, each once.
func TestCatchUp(t *testing.T) {
	p := open(t)
	alice, bob := two(t, p)
	alice.say("one")
	alice.say("two")
	alice.sees("one", "two")
	bob.sees("one", "two")

	p.cable.pull()
	for _, pg := range []*page{alice, bob} {
		pg.until(`!document.getElementById("status").hidden`)
		pg.until(`document.getElementById("send").disabled`)
	}
	elsewhere := p.direct(t, 0, "alice")
	elsewhere.ask(4, `"room_id":1,"msg_id":1,"msg":"one, edited"`)
	elsewhere.ask(5, `"room_id":1,"msg_id":2`)
	elsewhere.ask(3, `"room_id":1,"message":"three","msg_type":0`)
	harness.Until(t, harness.AnswerLimit, "the pages have tried to connect", func() bool { return p.cable.tries() > 3 })
	p.cable.plug()
	bob.sees("one, edited", "three")
	// As long as somebody else has her login, alice's page waits for it.
	alice.until(`document.getElementById("status").textContent.startsWith("You are logged in on another page")`)
	elsewhere.close()
	for _, pg := range []*page{alice, bob} {
		pg.sees("one, edited", "three")
		pg.until(`document.getElementById("status").hidden`)
		pg.until(`document.querySelectorAll("#messages .message").length === 2`)
	}
	bob.say("four")
	alice.sees("one, edited", "three", "four")
}

// The history comes in pages, as one goes up, to its beginning.
func TestHistory(t *testing.T) {
	const messages = 75
	p := open(t)
	alice := p.page(t)
	alice.enter("sign-up", "alice", password)
	alice.makeRoom("Garden", "")
	carol := p.direct(t, 1, "carol")
	carol.ask(14, `"room_id":1`)
	for i := range messages {
		carol.ask(3, `"room_id":1,"message":"%d","msg_type":0`, i+1)
	}
	alice.sees("74", "75")
	alice.do(chromedp.Reload())
	alice.inRoom("Garden")
	alice.sees("74", "75")
	alice.until(`document.querySelectorAll("#messages .message").length === 30`)
	alice.until(`document.querySelector("#messages .author").textContent === "carol"`)
	eval[int](alice, `document.getElementById("log").scrollTop = 0`)
	alice.until(`document.querySelectorAll("#messages .message").length === 60`)
	eval[int](alice, `document.getElementById("log").scrollTop = 0`)
	alice.until(`document.querySelectorAll("#messages .message").length === 75`)
	alice.until(`!document.getElementById("beginning").hidden && document.getElementById("older").hidden`)
	alice.until(shown + `.every((text, i) => text === String(i + 1))`)

	// Who reads what is old is not torn away from it, but told.
	eval[int](alice, `document.getElementById("log").scrollTop = 100`)
	alice.until(`document.getElementById("log").scrollTop === 100`)
	carol.ask(3, `"room_id":1,"message":"news","msg_type":0`)
	alice.until(`!document.getElementById("to-end").hidden && document.getElementById("log").scrollTop === 100`)
	alice.click("#to-end")
	alice.until(`(() => { const e = document.getElementById("log"); return e.scrollHeight - e.scrollTop - e.clientHeight < 5; })()`)
}

// People are told in words what is wrong.
func TestWords(t *testing.T) {
	p := open(t)
	alice, other := p.page(t), p.page(t)
	alice.enter("sign-up", "alice", password)
	alice.makeRoom("Garden", "")

	told := func(pg *page, text string) {
		t.Helper()
		pg.until(`document.getElementById("notice").textContent === ` + strconv.Quote(text))
	}
	other.write("#login", "alice")
	other.write("#password", "wrong")
	other.click("button[value=log-in]")
	told(other, "Login or password is wrong.")
	other.click("button[value=sign-up]")
	told(other, "This login is taken. Please choose another one.")
	other.set("#password", password)
	other.click("button[value=log-in]")
	told(other, "This login is in use on another connection.")

	alice.set("#text", strings.Repeat("ü", 401))
	alice.say("")
	told(alice, "A message may have 800 bytes at most.")
	alice.until(`document.getElementById("left").textContent === "2 bytes too long"`)

	eval[bool](other, `sessionStorage.setItem("chat token for " + document.getElementById("server").textContent, "0".repeat(64) + "other"), true`)
	other.do(chromedp.Reload())
	told(other, "Please log in again.")
	other.write("#login", "other")
	other.write("#password", password)

	p.cable.pull()
	other.until(`!document.getElementById("status").hidden`)
	other.click("button[value=log-in]")
	told(other, "The server cannot be reached.")
	for _, pg := range []*page{alice, other} {
		pg.until(`document.getElementById("status").textContent.startsWith("No answer from ws://")`)
	}
	other.do(chromedp.Navigate(p.pages + "/?server=https://example.com"))
	other.until(`document.getElementById("notice").textContent.startsWith("“https://example.com” is not the address of a chat")`)
}

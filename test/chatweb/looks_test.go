//go:build linux

package chatweb

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var screenshot = flag.String("screenshot", "", "write a picture of the page there, as PNG")

// misnamed are the controls that nobody can name.
const misnamed = `Array.from(document.querySelectorAll("button, input, textarea, a, dialog"))
	.filter((e) => e.checkVisibility() && !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.labels?.[0]?.textContent.trim() || e.textContent.trim()))
	.map((e) => e.outerHTML)`

// pale are pairs of colours that texts have and that do not stand out: WCAG asks for 4.5 at least.
const pale = `(() => {
	const probe = document.body.appendChild(document.createElement("p"));
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const light = (name) => {
		probe.style.color = "var(--" + name + ")";
		canvas.fillStyle = getComputedStyle(probe).color;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b] = Array.from(canvas.getImageData(0, 0, 1, 1).data, (n) => n / 255)
			.map((n) => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const pairs = [];
	for (const ink of ["ink", "soft", "accent", "bad"]) for (const on of ["ground", "surface", "raised", "hover", "mine"]) pairs.push([ink, on]);
	pairs.push(["on-accent", "accent"], ["on-accent", "accent-strong"], ["on-bad", "bad"], ["ink", "mark"]);
	const wrong = pairs.map(([a, b]) => [a, b, (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05)])
		.filter(([, , ratio]) => !(ratio >= 4.5)).map(([a, b, ratio]) => a + " on " + b + " " + ratio.toFixed(2));
	probe.remove();
	return wrong;
})()`

// wide says whether the page is wider than the screen, or a part of it ends outside.
const wide = `document.documentElement.scrollWidth > innerWidth || Array.from(document.querySelectorAll("button, input, textarea, .bubble"))
	.some((e) => { const {left, right} = e.getBoundingClientRect(); return right > innerWidth + 1 || left < -1; })`

// The page can be read in the light and in the dark, its controls have names, and it fits a phone.
func TestLooks(t *testing.T) {
	p := open(t)
	alice, bob := two(t, p)
	talk(t, alice, bob)
	for _, scheme := range []string{"light", "dark"} {
		emulate(t, alice, scheme)
		if wrong := eval[[]string](alice, pale); len(wrong) != 0 {
			t.Errorf("%s: %q", scheme, wrong)
		}
	}
	emulate(t, alice, "light")
	if nameless := eval[[]string](alice, misnamed); len(nameless) != 0 {
		t.Errorf("nobody can name %q", nameless)
	}

	if *screenshot != "" {
		picture, err := chromedp.Run(alice.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(*screenshot, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	bob.do(chromedp.EmulateViewport(360, 700, chromedp.EmulateMobile, chromedp.EmulateTouch))
	fits := func(what string) {
		t.Helper()
		if eval[bool](bob, wide) {
			t.Errorf("%s: wider than a phone", what)
		}
	}
	bob.until(`getComputedStyle(document.getElementById("sidebar")).display === "none"`)
	fits("a room")
	bob.click("#show-search")
	fits("a search")
	bob.click("#show-members")
	fits("members")
	bob.click("#hide-members")
	bob.click("#back")
	bob.until(`getComputedStyle(document.getElementById("sidebar")).display !== "none"`)
	fits("rooms")
	bob.click("#rooms a")
	bob.inRoom("Garden")
	bob.click("#back")
	bob.click("#log-out")
	bob.until(`!document.getElementById("entry").hidden`)
	fits("the log-in")
}

// Everything that one needs can be done with keys, and one sees where one is.
func TestKeys(t *testing.T) {
	p := open(t)
	alice := p.page(t)
	alice.until(`document.getElementById("status").hidden`)
	tab := func(id string) {
		t.Helper()
		alice.do(chromedp.KeyEvent(kb.Tab))
		alice.until(`document.activeElement.id === ` + strconv.Quote(id))
		if !eval[bool](alice, `document.activeElement.matches(":focus-visible") && getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
			t.Errorf("one does not see that one is at %s", id)
		}
	}
	tab("login")
	alice.do(chromedp.KeyEvent("alice"))
	tab("password")
	alice.do(chromedp.KeyEvent(password + kb.Tab + kb.Tab + kb.Enter))
	alice.until(`!document.getElementById("app").hidden`)
	tab("log-out")
	tab("find")
	tab("new-room")
	alice.do(chromedp.KeyEvent(kb.Enter))
	alice.until(`document.activeElement.id === "new-name"`)
	alice.do(chromedp.KeyEvent("Garden" + kb.Enter))
	alice.inRoom("Garden")
	alice.until(`document.activeElement.id === "text"`)
	alice.do(chromedp.KeyEvent("Helo"), press("Enter", 13))
	alice.sees("Helo")
	alice.do(press("ArrowUp", 38))
	alice.until(`!document.getElementById("editing").hidden && document.activeElement.value === "Helo"`)
	alice.do(press("Escape", 27))
	alice.until(`document.getElementById("editing").hidden && document.activeElement.value === ""`)
	alice.do(press("ArrowUp", 38), chromedp.KeyEvent("!"), press("Enter", 13))
	alice.sees("Helo!")
	alice.until(`document.activeElement.id === "text" && document.activeElement.value === ""`)
}

// talk is what the picture shows.
func talk(t *testing.T, alice, bob *page) {
	t.Helper()
	for _, name := range []string{"Market day", "Weather"} {
		alice.makeRoom(name, "")
		bob.joinRoom(name[:3], name)
	}
	alice.click("#rooms li:last-child a")
	bob.say("Rain from Thursday on, they say.")
	bob.say("Bring the bench in?")
	bob.click("#rooms li:last-child a")
	for _, pg := range []*page{alice, bob} {
		pg.inRoom("Garden")
	}
	alice.until(`document.querySelector("#rooms .unread:not([hidden])").textContent === "2"`)
	alice.until(`document.title === "(2) Garden · Chat"`)

	alice.click("#text") // and not with the mouse above a room
	alice.say("Good morning! Has anybody watered the tomatoes?")
	bob.sees("Good morning! Has anybody watered the tomatoes?")
	bob.say("I did, at seven. They look happy.")
	bob.say("And the first bees are here!")
	alice.sees("I did, at seven. They look happy.", "And the first bees are here!")
	plan := filepath.Join(t.TempDir(), "plan of the beds.pdf")
	if err := os.WriteFile(plan, make([]byte, 184_320), 0o600); err != nil {
		t.Fatal(err)
	}
	bob.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{plan}))
	alice.until(`document.querySelector("#messages .file-name")`)
	alice.say("Wonderful. I’ll bring the new frames this afternoon.")
	bob.sees("Wonderful. I’ll bring the new frames this afternoon.")
}

func emulate(t *testing.T, pg *page, scheme string) {
	t.Helper()
	params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(pg.ctx, emulation.SetEmulatedMedia, params); err != nil {
		t.Fatal(err)
	}
}

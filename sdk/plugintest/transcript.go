package plugintest

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// line is one act of a transcript.
type line struct {
	number int
	who    string // before the mark
	mark   string // "!", ">", ">b", ">x", ">r", ">h", "<", "<b", "<x", "<r", "@"
	rest   string
}

// transcript is a parsed file.
type transcript struct {
	file   string
	config Config
	only   map[string]bool // rungs; nil: all
	lines  []line
}

// fresh is the transcript with the configuration of its next play.
func (tr *transcript) fresh() *transcript {
	if tr.config.Fresh == nil {
		return tr
	}
	next := *tr
	tr.config.Fresh(&next.config)
	return &next
}

var lineForm = regexp.MustCompile(`^([A-Za-z0-9]*)(!|[<>][bxr]?|>[eh]|<f|@)(?: (.*))?$`)

func readTranscript(file string, config Config) (*transcript, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tr := &transcript{file: file, config: config}
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 64<<20)
	for number := 1; scan.Scan(); number++ {
		text := scan.Text()
		if strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#") {
			continue
		}
		m := lineForm.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("%s:%d: not a line of a transcript: %s", file, number, text)
		}
		l := line{number, m[1], m[2], m[3]}
		if l.mark == "!" {
			verb, rest, _ := strings.Cut(l.rest, " ")
			switch verb {
			case "plugin":
				tr.config.Plugin = rest
				continue
			case "route":
				tr.config.Route = rest
				continue
			case "only":
				tr.only = make(map[string]bool)
				for rung := range strings.FieldsSeq(rest) {
					tr.only[rung] = true
				}
				continue
			}
		}
		tr.lines = append(tr.lines, l)
	}
	return tr, scan.Err()
}

var placeholders = strings.NewReplacer("<id>", `[A-Za-z0-9_-]+`, "<any>", `.*`)

// matches says whether got is what want, which may have placeholders, stands for.
func matches(want, got string) bool {
	if want == got {
		return true
	}
	if start, ok := strings.CutSuffix(want, "<any>"); ok && !strings.Contains(start, "<id>") && !strings.Contains(start, "<any>") {
		return strings.HasPrefix(got, start)
	}
	if !strings.Contains(want, "<id>") && !strings.Contains(want, "<any>") {
		return false
	}
	// Neither placeholder has a character that QuoteMeta changes.
	re, err := regexp.Compile(`(?s)^` + placeholders.Replace(regexp.QuoteMeta(want)) + `$`)
	return err == nil && re.MatchString(got)
}

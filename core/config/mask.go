package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/protocol-bridge/bridge/internal/nearest"
)

const star = '*'

var (
	envName     = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	credentials = regexp.MustCompile(`://[^/\s"@]+@`)
)

// masked returns a copy of a file in which secrets are stars: the values of attributes that are
// named like one, or nearly so, and those in the given ranges. It works on tokens, so that it holds
// for files with faults of any kind. Names of functions, of environment variables and of secret
// files stay, since they say what is wrong.
func masked(src []byte, filename string, secret []hcl.Range) []byte {
	out := bytes.Clone(src)
	tokens, _ := hclsyntax.LexConfig(src, filename, hcl.InitialPos)
	for i := 0; i < len(tokens); i++ {
		if i+2 < len(tokens) && tokens[i].Type == hclsyntax.TokenIdent && tokens[i+1].Type == hclsyntax.TokenEqual &&
			(secretName(string(tokens[i].Bytes)) || tokens[i+2].Type == hclsyntax.TokenOBrace && string(tokens[i].Bytes) == "token") {
			end := valueEnd(tokens, i+2)
			for j := i + 2; j < end; j++ {
				if !ofUser(tokens, i, j) {
					maskToken(out, tokens, j)
				}
			}
			i = end - 1
		}
	}
	for i, t := range tokens {
		for _, rng := range secret {
			if t.Range.Start.Byte >= rng.Start.Byte && t.Range.End.Byte <= rng.End.Byte {
				maskToken(out, tokens, i)
			}
		}
	}
	for _, at := range credentials.FindAllIndex(src, -1) {
		fill(out[at[0]+len("://") : at[1]-1])
	}
	return out
}

var (
	assignment = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_-]*)[ \t]*=`)
	heredoc    = regexp.MustCompile(`<<[-~]?[ \t]*([A-Za-z_][A-Za-z0-9_-]*)`)
	onlyCloses = regexp.MustCompile(`^[ \t]*[\]})]+[ \t]*((#|//).*)?$`)
	envCall    = regexp.MustCompile(`\benv\("[A-Z_][A-Z0-9_]*"\)`)
)

// maskLines does what masked does, in place, for a file that is not HCL: there a quote that is not
// closed turns text into names and names into text, so that tokens say nothing. It goes by lines and
// their indentation, and rather stars too much.
func maskLines(out, src []byte) {
	var until func(line []byte) bool // ends a value of several lines
	from := 0
	for line := range bytes.Lines(src) {
		start, end := from, from+len(line)
		from = end
		if until == nil {
			for _, m := range assignment.FindAllSubmatchIndex(line, -1) {
				if name := string(line[m[2]:m[3]]); secretName(name) || name == "token" {
					maskRest(out[start+m[1]:end], line[m[1]:])
					until = continues(line, m[1])
					break
				}
			}
			continue
		}
		maskRest(out[start:end], line)
		if until(line) {
			until = nil
		}
	}
}

// continues returns what ends a value that begins in a line at the given offset; nil when it ends
// with the line. That brackets are closed there means nothing: what closes them may be the fault.
func continues(line []byte, at int) func([]byte) bool {
	depth := 0
	for _, c := range line[at:] {
		switch c {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			depth--
		}
	}
	indent := indentation(line)
	closes := func(next []byte) bool {
		return onlyCloses.Match(bytes.TrimRight(next, "\r\n")) && indentation(next) <= indent
	}
	if m := heredoc.FindSubmatch(line[at:]); m != nil {
		marker, inside := bytes.Clone(m[1]), true
		return func(next []byte) bool {
			if inside {
				inside = !bytes.Equal(bytes.TrimSpace(next), marker)
				return !inside && depth <= 0
			}
			return closes(next)
		}
	}
	if value := bytes.TrimSpace(line[at:]); depth <= 0 && len(value) > 0 && value[0] != '[' && value[0] != '{' {
		return nil
	}
	return closes
}

func indentation(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " \t")) }

// maskRest stars all but what shows the structure, and names of environment variables.
func maskRest(out, line []byte) {
	for i, c := range line {
		if !strings.ContainsRune(" \t\r\n\"[]{}(),=", rune(c)) {
			out[i] = star
		}
	}
	for _, at := range envCall.FindAllIndex(line, -1) {
		copy(out[at[0]:at[1]], line[at[0]:at[1]])
	}
}

// secretName reports whether an attribute of that name holds a secret, or one of a name that may be
// a slip for it.
func secretName(name string) bool {
	name = strings.ToLower(name)
	if name == "token" || strings.HasSuffix(name, "_file") || strings.HasSuffix(name, "_url") {
		return false
	}
	for _, part := range []string{"secret", "passw", "passphrase", "credential", "private_key"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	if name == "key" || strings.HasSuffix(name, "_key") || nearest.Distance(name, "password") <= 2 {
		return true
	}
	return slices.ContainsFunc(secretNames, func(s string) bool { return nearest.Distance(name, s) <= len(s)/3 })
}

// valueEnd returns the index of the token that ends the value which begins at i: a newline outside
// brackets.
func valueEnd(tokens hclsyntax.Tokens, i int) int {
	depth := 0
	for ; i < len(tokens); i++ {
		switch tokens[i].Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			if depth == 0 {
				return i
			}
			depth--
		case hclsyntax.TokenNewline:
			if depth == 0 {
				return i
			}
		case hclsyntax.TokenComment:
			if depth == 0 {
				return i + 1
			}
		}
	}
	return i
}

// ofUser reports whether the token at j is the name of an attribute of a user, in the value of `users`
// at i: that is shown, since it says nothing of the user.
func ofUser(tokens hclsyntax.Tokens, i, j int) bool {
	return string(tokens[i].Bytes) == "users" && tokens[j].Type == hclsyntax.TokenIdent &&
		slices.Contains(userAttrs, string(tokens[j].Bytes)) && j+1 < len(tokens) && tokens[j+1].Type == hclsyntax.TokenEqual
}

func maskToken(out []byte, tokens hclsyntax.Tokens, i int) {
	t := tokens[i]
	switch t.Type {
	case hclsyntax.TokenOQuote, hclsyntax.TokenCQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenCHeredoc,
		hclsyntax.TokenOBrace, hclsyntax.TokenCBrace, hclsyntax.TokenOBrack, hclsyntax.TokenCBrack,
		hclsyntax.TokenOParen, hclsyntax.TokenCParen, hclsyntax.TokenComma, hclsyntax.TokenEqual,
		hclsyntax.TokenNewline, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenEOF:
		return
	case hclsyntax.TokenIdent:
		if i+1 < len(tokens) && tokens[i+1].Type == hclsyntax.TokenOParen {
			return
		}
	case hclsyntax.TokenQuotedLit:
		// Tokens before: function, bracket, quote.
		if i >= 3 && tokens[i-2].Type == hclsyntax.TokenOParen && tokens[i-3].Type == hclsyntax.TokenIdent {
			switch string(tokens[i-3].Bytes) {
			case "env":
				if envName.Match(t.Bytes) {
					return
				}
			case "secret_file":
				return
			}
		}
	}
	fill(out[t.Range.Start.Byte:t.Range.End.Byte])
}

func fill(b []byte) {
	for i := range b {
		if b[i] != '\n' && b[i] != '\r' {
			b[i] = star
		}
	}
}

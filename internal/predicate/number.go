package predicate

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
)

// number is a JSON number taken apart: 0.DIGITS times ten to the power of point plus exp. DIGITS are
// those of whole and then of part, with no zero at either end; without any it is zero.
type number struct {
	negative    bool
	whole, part []byte
	point       int
	exp         []byte // as written, with its sign; empty: 0
}

// numberOf takes a valid number apart; it points into raw.
func numberOf(raw []byte) (n number) {
	if n.negative = raw[0] == '-'; n.negative {
		raw = raw[1:]
	}
	if i := bytes.IndexAny(raw, "eE"); i >= 0 {
		raw, n.exp = raw[:i], raw[i+1:]
	}
	n.whole, n.part, _ = bytes.Cut(raw, []byte("."))
	n.part = bytes.TrimRight(n.part, "0")
	if string(n.whole) == "0" {
		digits := bytes.TrimLeft(n.part, "0")
		n.whole, n.part, n.point = nil, digits, len(digits)-len(n.part)
	} else if n.point = len(n.whole); len(n.part) == 0 {
		n.whole = bytes.TrimRight(n.whole, "0")
	}
	return n
}

func (n *number) digits() int { return len(n.whole) + len(n.part) }

func (n *number) digit(i int) byte {
	if i < len(n.whole) {
		return n.whole[i]
	}
	return n.part[i-len(n.whole)]
}

func (n *number) equal(m number) bool {
	if n.digits() != m.digits() {
		return false
	}
	if n.digits() == 0 { // minus nothing is nothing
		return true
	}
	for i := range n.digits() {
		if n.digit(i) != m.digit(i) {
			return false
		}
	}
	return n.negative == m.negative && n.magnitude().equal(m.magnitude())
}

// magnitude is the power of ten of a number: exp plus shift. Where exp would overflow, which no program
// writes but a stranger may, it is the digits of huge instead, with a sign if negative.
type magnitude struct {
	exp, shift int64
	huge       string
}

func (n *number) magnitude() magnitude {
	m := magnitude{shift: int64(n.point)}
	if len(n.exp) == 0 {
		return m
	}
	const far = 1 << 62 // leaves room for any shift
	if exp, err := strconv.ParseInt(string(n.exp), 10, 64); err == nil && exp > -far && exp < far {
		m.exp = exp
		return m
	}
	m.huge = strings.TrimLeft(string(n.exp), "+-0")
	if n.exp[0] == '-' {
		m.huge = "-" + m.huge
	}
	return m
}

func (a magnitude) equal(b magnitude) bool {
	if a.huge == "" && b.huge == "" {
		return a.exp+a.shift == b.exp+b.shift
	}
	// No shift makes up for a power that is a hundred times as large, and reading many digits takes time.
	const plain = 19 // digits of an exponent that is not huge, at most
	if x, y := max(len(a.huge), plain), max(len(b.huge), plain); x > y+2 || y > x+2 {
		return false
	}
	return a.big().Cmp(b.big()) == 0
}

func (a magnitude) big() *big.Int {
	sum := big.NewInt(a.exp)
	if a.huge != "" {
		sum.SetString(a.huge, 10)
	}
	return sum.Add(sum, big.NewInt(a.shift))
}

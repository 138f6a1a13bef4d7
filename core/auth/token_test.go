package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestNumericDate(t *testing.T) {
	tests := map[string]struct {
		text string
		want int64
		err  string // of the error; empty: none
	}{
		"seconds":             {"1700000000", 1700000000, ""},
		"zero":                {"0", 0, ""},
		"minus zero":          {"-0", 0, ""},
		"before 1970":         {"-1", -1, ""},
		"fraction":            {"1700000000.999999999", 1700000000, ""},
		"negative fraction":   {"-0.5", -1, ""},
		"exponent":            {"1.7e9", 1700000000, ""},
		"large exponent":      {"1.7E+09", 1700000000, ""},
		"negative exponent":   {"17000000000000e-4", 1700000000, ""},
		"last":                {"253402300799", 253402300799, ""},
		"beyond float64":      {"253402300799.00000000001", 253402300799, ""},
		"too late":            {"253402300800", 0, "years"},
		"too early":           {"-62135596800", 0, "years"},
		"1e99":                {"1e99", 0, "years"},
		"1e400":               {"1e400", 0, "seconds"},
		"1e1000000":           {"1e1000000", 0, "seconds"},
		"1e-1000000":          {"1e-1000000", 0, "seconds"},
		"21 digits":           {"100000000000000000000", 0, "seconds"},
		"21 digits behind it": {"1.000000000000000000000", 0, "seconds"},
		"text":                {`"1"`, 0, "seconds"},
		"null":                {"null", 0, "seconds"},
		"true":                {"true", 0, "seconds"},
		"ratio":               {"3/2", 0, "seconds"},
		"nothing":             {"", 0, "seconds"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := numericDate([]byte(tt.text))
			if tt.err == "" && (err != nil || got.Unix() != tt.want) {
				t.Errorf("%s: %v, %v, want %d", tt.text, got, err, tt.want)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || !got.IsZero()) {
				t.Errorf("%s: %v, %v, want an error with %q", tt.text, got, err, tt.err)
			}
			if errors.Is(err, errDate) != (tt.err == "seconds") {
				t.Errorf("%s: %v", tt.text, err)
			}
		})
	}
}

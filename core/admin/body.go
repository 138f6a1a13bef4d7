package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxBody is how large a posted body may be.
const maxBody = 1 << 20

// body reads what was posted into v; it answers the request itself where that cannot be.
func body(w http.ResponseWriter, r *http.Request, v any) bool {
	if typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || typ != "application/json" {
		http.Error(w, "post JSON, with Content-Type: application/json", http.StatusUnsupportedMediaType)
		return false
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, "the body is larger than 1 MiB", http.StatusRequestEntityTooLarge)
			return false
		}
		http.Error(w, "the body did not come", http.StatusBadRequest)
		return false
	}
	if err := decode(text, v); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// decode reads one JSON object, and says in its own words what is wrong with it.
func decode(text []byte, v any) error {
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) || !json.Valid(text) {
		return refusal("the body is not a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && typ.Field != "" {
		return refusal("\"" + typ.Field + "\" is of the wrong type")
	}
	if err != nil {
		return refusal(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "json: "), "unknown field", "there is no member"))
	}
	if c, ok := v.(interface{ check() error }); ok {
		return c.check()
	}
	return nil
}

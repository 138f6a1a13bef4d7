package admin

import (
	"net/http"
	"strconv"
	"time"
)

// EntriesTrailer is behind the body of an export: how many entries it has. Without it the export broke off.
const EntriesTrailer = "Bridge-Entries"

// QueuesImported is the answer to an import.
type QueuesImported struct {
	Entries int `json:"entries"`
}

// exportQueues writes as long as that takes.
func (s *Server) exportQueues(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // where that cannot be, it breaks off in time
	w.Header().Set("Trailer", EntriesTrailer)
	out := &begun{ResponseWriter: w}
	n, err := s.cfg.Control.ExportQueues(r.Context(), out)
	switch {
	case err == nil:
		w.Header().Set(EntriesTrailer, strconv.Itoa(n))
	case out.any:
		panic(http.ErrAbortHandler) // whoever reads is not to take it for the whole
	default:
		w.Header().Del("Trailer")
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// begun knows whether something was written.
type begun struct {
	http.ResponseWriter
	any bool
}

// Write implements io.Writer.
func (b *begun) Write(p []byte) (int, error) {
	b.any = true
	return b.ResponseWriter.Write(p)
}

// importQueues reads as long as that takes.
func (s *Server) importQueues(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // likewise
	_ = c.SetWriteDeadline(time.Time{})
	n, err := s.cfg.Control.ImportQueues(r.Context(), r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.write(w, http.StatusOK, QueuesImported{n})
}

package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	fetchTimeout = 5 * time.Second // until the whole answer is there
	maxKeySet    = 1 << 20         // bytes

	// For how long a set is fresh: what the server says, within these bounds.
	minFresh, defaultFresh, maxFresh = time.Minute, 10 * time.Minute, time.Hour
)

// keyClient returns a client that talks to the configured server and to nobody else.
func keyClient() *http.Client {
	return &http.Client{
		Timeout:       fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// Its zero Proxy is none, whatever the environment says.
		Transport: &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
	}
}

// fetchKeys returns what is served at the address, and for how long it is fresh. Its errors
// do not hold the address.
func fetchKeys(ctx context.Context, client *http.Client, address string) ([]verifyKey, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, 0, errors.New("make the request: malformed URL")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return nil, 0, fmt.Errorf("fetch: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("the server answered with status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxKeySet+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("read the answer: %w", err)
	case len(body) > maxKeySet:
		return nil, 0, fmt.Errorf("the answer has more than %d bytes", maxKeySet)
	}
	keys, err := parseKeySet(body)
	return keys, freshness(res.Header), err
}

// freshness is what max-age leaves of a set's time.
func freshness(h http.Header) time.Duration {
	fresh := defaultFresh
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minFresh
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				continue
			}
			fresh = time.Duration(seconds) * time.Second
			if age, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
				fresh -= time.Duration(age) * time.Second
			}
		}
	}
	return min(max(fresh, minFresh), maxFresh)
}

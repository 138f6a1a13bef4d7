package listen

import "time"

// owe counts a frame and says for how long the route's rate does not allow for another. It is a bucket
// that holds a period's frames: so many may come at once, and then one whenever its share of the
// period has passed. Nothing is refused; what a client sends meanwhile waits in the kernel, which
// slows the client down.
func (c *conn) owe() time.Duration {
	rate := c.entry.Now().Rate
	every := rate.Every()
	if every == 0 {
		return 0
	}
	now := time.Since(c.srv.began)
	c.due = max(c.due, now) + every
	return max(0, c.due-now-rate.Per)
}

// pay waits for what is owed; false when the session has ended.
func (c *conn) pay(owed time.Duration) bool {
	if owed <= 0 {
		return true
	}
	began := time.Since(c.srv.began)
	ok := c.sess.Pause(owed)
	c.srv.meter.waited(c.entry.ID, time.Since(c.srv.began)-began)
	return ok
}

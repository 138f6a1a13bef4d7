package listen

import "time"

// pace counts a frame and waits while the route's rate does not allow for another. It is a bucket
// that holds a period's frames: so many may come at once, and then one whenever its share of the
// period has passed. Nothing is refused; what a client sends meanwhile waits in the kernel, which
// slows the client down. It returns false when the session has ended.
func (c *conn) pace() bool {
	rate := c.entry.Now().Rate
	every := rate.Every()
	if every == 0 {
		return true
	}
	now := time.Since(c.srv.began)
	c.due = max(c.due, now) + every
	wait := c.due - now - rate.Per
	if wait <= 0 {
		return true
	}
	ok := c.sess.Pause(wait)
	c.srv.meter.waited(c.entry.ID, time.Since(c.srv.began)-now)
	c.armed = time.Time{} // its silence was ours
	return ok
}

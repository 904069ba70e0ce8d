package gomsg

import "time"

// deadlines times out the calls whose context has no deadline: hundreds of thousands begin and end a second, almost none
// of them late. They all have the same timeout, so they are late in the order in which they began: adding and removing
// one is a change of two links, and one timer is enough. It belongs to the dispatcher's lock.
type deadlines struct {
	// expire is called by the timer; it takes the lock and calls late.
	expire func()

	first, last *call
	timer       *time.Timer
	armed       bool
}

func (d *deadlines) add(c *call) {
	c.inDeadlines, c.earlier, c.later = true, d.last, nil
	if d.last == nil {
		d.first = c
	} else {
		d.last.later = c
	}
	d.last = c
	if !d.armed {
		d.arm(c.timeout)
	}
}

// remove takes a call out; nothing happens when it is out already. The timer stays: it finds the next call, or none.
func (d *deadlines) remove(c *call) {
	if !c.inDeadlines {
		return
	}
	if c.earlier == nil {
		d.first = c.later
	} else {
		c.earlier.later = c.later
	}
	if c.later == nil {
		d.last = c.earlier
	} else {
		c.later.earlier = c.earlier
	}
	c.inDeadlines, c.earlier, c.later = false, nil, nil
}

// late calls a function with every call that is late, and sees to it that the next one is found.
func (d *deadlines) late(now time.Time, fail func(*call)) {
	d.armed = false
	for c := d.first; c != nil && !c.deadline.After(now); c = d.first {
		d.remove(c)
		fail(c)
	}
	if d.first != nil {
		d.arm(d.first.deadline.Sub(now))
	}
}

func (d *deadlines) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (d *deadlines) arm(wait time.Duration) {
	d.armed = true
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, d.expire)
	} else {
		d.timer.Reset(wait)
	}
}

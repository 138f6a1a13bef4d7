package actor

// Cells is the state that a plugin keeps on an actor. The zero value is empty. It keeps copies.
type Cells struct {
	cells []cell
	size  int
}

type cell struct {
	key   string
	value []byte
}

// Size is the bytes of all keys and values.
func (c *Cells) Size() int { return c.size }

// Len is the number of cells.
func (c *Cells) Len() int { return len(c.cells) }

// Lookup is the length of a cell's key and value, 0 when there is no such cell.
func (c *Cells) Lookup(key string) int {
	for i := range c.cells {
		if c.cells[i].key == key {
			return len(key) + len(c.cells[i].value)
		}
	}
	return 0
}

// Put sets a cell. The memory of its former value is used again.
func (c *Cells) Put(key string, value []byte) {
	for i := range c.cells {
		if x := &c.cells[i]; x.key == key {
			c.size += len(value) - len(x.value)
			x.value = append(x.value[:0], value...)
			return
		}
	}
	c.cells = append(c.cells, cell{key: string([]byte(key)), value: append([]byte(nil), value...)})
	c.size += len(key) + len(value)
}

// Delete removes a cell, if it is there.
func (c *Cells) Delete(key string) {
	for i := range c.cells {
		if x := &c.cells[i]; x.key == key {
			c.size -= len(x.key) + len(x.value)
			last := len(c.cells) - 1
			c.cells[i] = c.cells[last]
			c.cells[last] = cell{}
			c.cells = c.cells[:last]
			return
		}
	}
}

// Range calls f for each cell. value is valid until the cell is put again.
func (c *Cells) Range(f func(key string, value []byte)) {
	for i := range c.cells {
		f(c.cells[i].key, c.cells[i].value)
	}
}

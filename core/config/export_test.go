package config

// ParseAll does what [Parse] does, also with what this version refuses because it does nothing with
// it yet.
func ParseAll(filename string, text []byte) (*Config, *Diagnostics) {
	return parse(filename, text, func(*BlockSpec, string) bool { return false })
}

//go:build !unix

package sdk

// followLifeline does nothing: there is no inherited pipe here, and the end of the link says it too.
func (p *process) followLifeline() {}

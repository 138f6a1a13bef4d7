//go:build !linux

package postgrestest

import (
	"os"
	"syscall"
)

var quit = os.Kill

func own(string) error { return nil }

func attributes() *syscall.SysProcAttr { return nil }

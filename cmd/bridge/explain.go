package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/broker"
	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/pluginhost"
)

// explain tells people why it did not start: faults of the configuration as such, each other one in
// a line of what is wrong and a line of what to do.
func explain(w io.Writer, err error) error {
	if err == nil {
		return nil
	}
	diags, rest := core.Faults(err)
	for _, fault := range rest {
		fmt.Fprintf(w, "bridge: %s\n%s\n", strings.ReplaceAll(fault.Error(), "\n", " "), mend(fault))
	}
	_, _ = diags.WriteTo(w)
	return exitError(exitFailure)
}

// mend says what to do about a fault.
func mend(err error) string {
	if dir, ok := errors.AsType[*core.DataDirError](err); ok {
		if dir.Held {
			return "Stop that one, or give this one a data_dir of its own in bridge.hcl."
		}
		if errors.Is(err, syscall.ENOSPC) {
			return "Make room on its disk, or choose another data_dir in bridge.hcl."
		}
		return "Let this user write there, or choose another data_dir in bridge.hcl."
	}
	if held, ok := errors.AsType[*cluster.HeldError](err); ok {
		if held.Copy {
			return "Remove the file \"node\" in the data_dir of one of the two."
		}
		return "Give this one another number, or none, in the cluster block of bridge.hcl; one that is not renewed is free a day later."
	}
	if _, ok := errors.AsType[*broker.StoreError](err); ok {
		return "Or, where the queues are not needed any more, remove that folder."
	}
	_, certificate := errors.AsType[*core.CertificateError](err)
	switch {
	case errors.Is(err, admin.ErrSocketPath):
		return "Choose a shorter data_dir in bridge.hcl, or start bridge in the folder of the file and name the file without one."
	case errors.Is(err, syscall.ENOSPC):
		return "Make room on that disk."
	case errors.Is(err, syscall.EADDRINUSE):
		return "Another process has the address: stop it, or change the address in bridge.hcl."
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "This machine does not have that address: change it in bridge.hcl."
	case errors.Is(err, admin.ErrNotLoopback):
		return `Write address = "127.0.0.1:6780" in the admin block of bridge.hcl.`
	case certificate:
		return "Check cert_file and key_file in the listener's tls block: both as PEM, and the key that of the first certificate."
	case errors.Is(err, syscall.EACCES):
		return "Take a port above 1023, or allow bridge the lower ones: setcap cap_net_bind_service=+ep on its file."
	case errors.Is(err, fs.ErrNotExist):
		return "Check the path in bridge.hcl; relative ones are relative to its folder."
	case errors.Is(err, pluginhost.ErrConfig):
		return "Mend the plugin's block in bridge.hcl."
	}
	return "Run bridge with --log-level debug to see what led to it."
}

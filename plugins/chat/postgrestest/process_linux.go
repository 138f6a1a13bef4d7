package postgrestest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// quit ends a server and its children at once, without what a shutdown writes.
const quit = syscall.SIGQUIT

// account returns whom the server runs as: it refuses root.
func account() (uid, gid int) {
	if os.Geteuid() != 0 {
		return os.Geteuid(), os.Getegid()
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ = strconv.Atoi(u.Uid)
			gid, _ = strconv.Atoi(u.Gid)
			return uid, gid
		}
	}
	return 65534, 65534
}

// own gives a folder to the server.
func own(dir string) error {
	uid, gid := account()
	return os.Chown(dir, uid, gid)
}

func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: quit}
	if os.Geteuid() == 0 {
		uid, gid := account()
		a.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return a
}

package listen

import "golang.org/x/sys/unix"

// hasLeft says whether a side has ended the connection of a socket.
func hasLeft(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err != nil || info.State != tcpEstablished
}

// tcpEstablished is the kernel's state of a connection that neither side has ended.
const tcpEstablished = 1

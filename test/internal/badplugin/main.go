// Command badplugin is a plugin that breaks the contract in the way that its argument says. It
// speaks the contract by hand, as a plugin in another language would, since the SDK does not let it.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/handshake"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(how string) error {
	if err := followLifeline(); err != nil {
		return err
	}
	switch how {
	case "stdout":
		_, err := os.Stdout.WriteString("Welcome!\n")
		if err != nil {
			return err
		}
	case "mute":
		time.Sleep(time.Minute)
	case "no-grpc":
		return serveGarbage()
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  handshake.ProtocolVersion,
			MagicCookieKey:   handshake.CookieKey,
			MagicCookieValue: handshake.CookieValue,
		},
		Plugins: plugin.PluginSet{handshake.Plugin: &served{how: how}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.ForceServerCodecV2(codec{}))...)
		},
	})
	return nil
}

// serveGarbage takes connections as a plugin does, and then speaks something else.
func serveGarbage() error {
	path := filepath.Join(os.Getenv(handshake.SocketDir), "plugin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(os.Stdout, "1|%d|unix|%s|grpc\n", handshake.ProtocolVersion, path); err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		if _, err := conn.Write(bytes.Repeat(garbage, 1000)); err != nil {
			return err
		}
	}
}

// followLifeline ends the process with its core, which is the one thing that it does well.
func followLifeline() error {
	fd, err := strconv.Atoi(os.Getenv(handshake.LifelineFD))
	if err != nil {
		return fmt.Errorf("lifeline: %w", err)
	}
	pipe := os.NewFile(uintptr(fd), "lifeline")
	go func() {
		_, _ = pipe.Read(make([]byte, 1)) // nothing is ever written
		_ = os.RemoveAll(os.Getenv(handshake.SocketDir))
		os.Exit(0)
	}()
	return nil
}

// served registers the service with go-plugin's server.
type served struct {
	plugin.NetRPCUnsupportedPlugin
	plugin.GRPCPlugin
	how string
}

// GRPCServer implements go-plugin's GRPCPlugin.
func (s *served) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	pluginv1.RegisterPluginServiceServer(server, &service{how: s.how})
	return nil
}

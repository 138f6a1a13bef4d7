package chat

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/files"
	"github.com/protocol-bridge/bridge/plugins/chat/store"
	"github.com/protocol-bridge/bridge/sdk"
)

// Plugin translates the chat API.
type Plugin struct {
	config Config
	label  string
	store  *store.Store
	files  files.Store
	wrong  *sdk.Attempts // log-ins that were, by login and by address
	outbox *outbox
	keep   keeper
}

var (
	_ sdk.Plugin[State] = (*Plugin)(nil)
	_ sdk.Configurer    = (*Plugin)(nil)
	_ sdk.Closer        = (*Plugin)(nil)
)

// New returns the plugin.
func New() *Plugin { return &Plugin{wrong: sdk.NewAttempts(wrongLasts), outbox: newOutbox()} }

// prefix is that of rooms' channels.
const prefix = "chat/"

// Describe implements sdk.Plugin.
func (p *Plugin) Describe() sdk.Info {
	return sdk.Info{
		Name:         "chat",
		Version:      "1.0.0",
		StateVersion: 1,
		Roles: []sdk.Role{{
			Doc: "clients", Auth: sdk.AuthOwn, Transports: []sdk.Transport{sdk.WebSocket, sdk.TCP},
		}},
		Owns:    []string{prefix},
		Encodes: true,
		Config:  &p.config,
		Limits: sdk.Limits{
			FrameBytes: 64 << 10, BinaryBytes: 1 << 20, StateBytes: 1 << 20,
			Rate: sdk.Rate{Frames: 40, Per: 2 * time.Second},
		},
	}
}

// openTimeout bounds how long the database may take to be there.
const openTimeout = 10 * time.Second

// Configure implements sdk.Configurer.
func (p *Plugin) Configure(setup sdk.Setup) error {
	p.label = setup.Label
	if setup.DataDir == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	var err error
	p.store, err = store.Open(ctx, p.config.database(), setup.DataDir, store.Options{PrivateRooms: p.config.PrivateRooms})
	if err != nil {
		return &sdk.Complaint{Attribute: "database", Text: fmt.Sprintf("It cannot be opened: %v.", err)}
	}
	if p.files, err = p.openFiles(setup.DataDir); err != nil {
		return &sdk.Complaint{Attribute: "files", Text: fmt.Sprintf("It cannot be used: %v.", err)}
	}
	p.keep.start(p.store, p.files, p.outbox, setup.Log)
	return nil
}

// openFiles opens what keeps files: for several nodes their database, as they share no folder.
func (p *Plugin) openFiles(dir string) (files.Store, error) {
	name := p.config.Files
	if name == inDatabase || name == "" && p.store.Shared() {
		return p.store.Chunks(), nil
	}
	return files.Open(filepath.Join(dir, cmp.Or(name, "chat-files")))
}

// Close implements sdk.Closer.
func (p *Plugin) Close() error {
	if p.store == nil {
		return nil
	}
	p.keep.stop()
	return p.store.Close()
}

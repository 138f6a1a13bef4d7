package main

import (
	"encoding/json"
	"fmt"

	"github.com/protocol-bridge/bridge/sdk"
)

// State is what a session is more than its connection. The core keeps it, as JSON.
type State struct {
	Met   bool     // HELLO was said
	Name  string   // known once HELLO is answered
	Rooms []string // joined, as channels
	Count int      // of commands accepted
}

type session = sdk.Session[State]

// ReadState implements sdk.StateReader. Version 1 had no Rooms but one Room.
func (Shout) ReadState(_ uint32, data []byte, state *State) error {
	var old struct {
		State

		Room string
	}
	if err := json.Unmarshal(data, &old); err != nil {
		return fmt.Errorf("read state of version 1: %w", err)
	}
	*state = old.State
	if old.Room != "" {
		state.Rooms = []string{old.Room}
	}
	return nil
}

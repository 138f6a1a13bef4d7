package store

import "errors"

// What a caller branches on. Everything else that a method returns is trouble of the database.
var (
	ErrInvalid   = errors.New("a value is too long, too short or no text") // also U+0000 and what is not UTF-8
	ErrForbidden = errors.New("not permitted")
	ErrNotFound  = errors.New("unknown room, message, user or file")
	ErrTaken     = errors.New("the login is taken")
	ErrAuth      = errors.New("unknown login, wrong password or unknown token")
)

// Limits of texts in bytes, of files in bytes and of lists in elements.
const (
	MaxText     = 800 // a message, a description
	MaxName     = 100 // a room's name, a file's name, what rooms are searched by
	MaxFile     = 10_000_000
	MaxMessages = 500 // of one answer
	MaxRooms    = 100 // of one search
)

// Role is what a member may do in a room. Its values are those of the wire.
type Role int

// The roles. A banned member keeps its row.
const (
	Customer Role = iota // who made the room
	Admin
	Moderator
	Simple
	Banned
)

// RoomType is what a room is for. Its values are those of the wire.
type RoomType int

// The types of rooms.
const (
	PrivateRoom RoomType = iota
	GlobalRoom
	DialogRoom
)

// MessageType is what a message's text is. Its values are those of the wire.
type MessageType int

// The types of messages. The text of a file's message is files/ID__NAME, that of a sticker its name.
const (
	Text MessageType = iota
	FileMessage
	FileText
	Sticker
)

// User is an account. Its login matches ^[a-z0-9_-]{3,22}$.
type User struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Desc  string `json:"desc,omitempty"`
}

// Room is a room as lists show it. Dates everywhere are milliseconds since 1970.
type Room struct {
	ID       int64    `json:"id"`
	Name     string   `json:"name"`
	Desc     string   `json:"desc,omitempty"`
	Type     RoomType `json:"type"`
	Customer int64    `json:"customer"` // the user who made it
	Date     int64    `json:"date"`     // of its making; no two rooms have the same
	Power    int64    `json:"power"`
}

// Message is a message as it stands, after edits.
type Message struct {
	ID       int64       `json:"id"`
	Room     int64       `json:"room"`
	User     int64       `json:"user"`
	Date     int64       `json:"date"` // rises strictly in a room
	Text     string      `json:"text"`
	Type     MessageType `json:"type"`
	Edited   bool        `json:"edited,omitempty"`
	Power    int64       `json:"power"`
	FileSize int64       `json:"file_size,omitempty"`
	FileName string      `json:"file_name,omitempty"`
}

// Member is a user in a room.
type Member struct {
	ID    int64
	Login string
	Role  Role
}

// File is what was, or is being, uploaded. Its bytes are elsewhere, under its ID.
type File struct {
	ID   string // 32 lower-case hex digits
	Room int64
	User int64
	Name string // clean: the last element of what the client sent
	Size int64
}

// Kind is what a write did to a room, and so which frames tell its members.
type Kind int

// The kinds, each with the fields of Broadcast that it sets besides Room and Seq.
const (
	_            Kind = iota
	Said              // Message, Power
	Edited            // Message, Power
	MessageGone       // Message (ID and Room)
	HistoryGone       // nothing
	RoomGone          // nothing
	Joined            // User (ID and Login), Of
	Renamed           // Text
	Redescribed       // Text
	MemberBanned      // User (ID and Login)
)

// Broadcast is what the members of a room are to be told about one write, enough to make its frames
// at any time. A write that is executed again returns what it returned first.
type Broadcast struct {
	Room    int64    `json:"room"`
	Seq     int64    `json:"seq"` // 1, 2, 3 … in a room, without gaps, in the order of commits
	Kind    Kind     `json:"kind"`
	Message *Message `json:"message,omitempty"`
	User    *User    `json:"user,omitempty"`
	Of      *Room    `json:"of,omitempty"` // the room as it was then
	Text    string   `json:"text,omitempty"`
	Power   int64    `json:"power,omitempty"`   // the room's total after it
	Foreign bool     `json:"foreign,omitempty"` // of another protocol, by SayForeign
}

// Account is what signs up.
type Account struct {
	Login string
	Pass  string // 64 hex digits in either case: what the client made of the password
	Name  string // kept, never shown
	Desc  string
}

// NewRoom is what a user makes.
type NewRoom struct {
	User int64
	Name string
	Desc string
	Type RoomType
}

// NewMessage is what a user says.
type NewMessage struct {
	Room, User int64
	Text       string // already stripped
	Type       MessageType
	Power      int64
}

// Foreign is a message of another protocol for a room.
type Foreign struct {
	Room   int64
	Author string // the account of this login is its user, else the reserved one
	Text   string // cut by the caller
	Power  int64
}

// NewFile is what a user begins to upload.
type NewFile struct {
	Room, User int64
	Name       string // clean
	Size       int64  // 0 to MaxFile
}

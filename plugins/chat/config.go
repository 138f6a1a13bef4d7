package chat

import "github.com/protocol-bridge/bridge/sdk"

// Config is the plugin-wide `config` block.
type Config struct {
	Database      string   `bridge:"database,secret" doc:"where accounts, rooms and messages are: sqlite:FILE, in data_dir, or postgres://…; absent: sqlite:chat.db" example:"\"sqlite:chat.db\""`
	Signup        bool     `bridge:"signup,default=true" doc:"whether RQ_SIGN_UP makes accounts"`
	SingleSession bool     `bridge:"single_session,default=true" doc:"whether a login is online once; a second one is told ER_CLI_EXST"`
	PrivateRooms  bool     `bridge:"private_rooms,default=false" doc:"whether rooms of the types 0 and 2 are hidden from searches and cannot be joined; as shipped, and in the original, they are like others"`
	Files         string   `bridge:"files" doc:"where uploaded files are: a folder in data_dir, which is for one node, or database; absent: the folder chat-files with SQLite, the database with PostgreSQL" example:"\"chat-files\""`
	MaxFile       sdk.Size `bridge:"max_file,default=10000000" doc:"bytes that an uploaded file may have"`
}

// Validate implements spec.Validator.
func (c *Config) Validate() error {
	if c.MaxFile < 1 || c.MaxFile > maxFile {
		return &sdk.Complaint{Attribute: "max_file", Text: "It is 1 to 10000000: the protocol's clients take no larger ones."}
	}
	return nil
}

// inDatabase is what Files says for the database. A folder of this name is "./database".
const inDatabase = "database"

func (c *Config) database() string {
	if c.Database == "" {
		return "sqlite:chat.db"
	}
	return c.Database
}

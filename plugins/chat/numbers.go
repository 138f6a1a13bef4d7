package chat

import "strconv"

// kind is the type of a request, an answer or a broadcast, as its number on the wire.
type kind int

// Types, in the order of the protocol.
const (
	rqLogIn kind = iota
	rqSignUp
	rqToken
	rqMsg
	rqEditMsg
	rqDelMsg
	rqDelHist
	rqGetNewMsgs
	rqSearchMsgs
	rqErrorMsg
	rqOldMsgs
	rqGetRooms
	rqNewRoom
	rqDelRoom
	rqJoinRoom
	rqUpdRoomName
	rqUpdRoomDesc
	rqUpdRoomPowr
	rqSearchCh
	rqGetMembers
	rqMemberInfo
	rqNewMember
	rqBanMember
	rqUpdUserDesc
	rqUploadFile
	rqDownloadFile
	rqLogOut
	rqReadyRead
	kinds // how many there are
)

// kindNames are what the string form calls them.
var kindNames = [kinds]string{
	"RQ_LOG_IN", "RQ_SIGN_UP", "RQ_TOKEN", "RQ_MSG", "RQ_EDIT_MSG", "RQ_DEL_MSG", "RQ_DEL_HIST",
	"RQ_GET_NEW_MSGS", "RQ_SEARCH_MSGS", "RQ_ERROR_MSG", "RQ_OLD_MSGS", "RQ_GET_ROOMS", "RQ_NEW_ROOM",
	"RQ_DEL_ROOM", "RQ_JOIN_ROOM", "RQ_UPD_ROOM_NAME", "RQ_UPD_ROOM_DESC", "RQ_UPD_ROOM_POWR", "RQ_SEARCH_CH",
	"RQ_GET_MEMBERS", "RQ_MEMBER_INFO", "RQ_NEW_MEMBER", "RQ_BAN_MEMBER", "RQ_UPD_USER_DESC",
	"RQ_UPLOAD_FILE", "RQ_DOWNLOAD_FILE", "RQ_LOG_OUT", "RQ_READY_READ",
}

// searchMsg is the other name of RQ_SEARCH_MSGS.
const searchMsg = "RQ_SEARCH_MSG"

func (k kind) String() string {
	if k < 0 || k >= kinds {
		return strconv.Itoa(int(k))
	}
	return kindNames[k]
}

// enum is a set of constants that count from 0, by their names.
type enum []string

var (
	kindEnum    = enum(kindNames[:])
	roomTypes   = enum{"DB_PRIVAT_CHAT", "DB_GLOBAL_CHAT", "DB_LS_CHAT"}
	memberTypes = enum{"DB_CUSTOMER", "DB_ADMIN", "DB_MODERATOR", "DB_SIMPLE", "DB_BANNED"}
	statuses    = enum{"DB_MSG_START", "DB_MSG_EDIT"}
	msgTypes    = enum{"DB_TEXT_MSG", "DB_FILE_MSG", "DB_FILE_TEXT_MSG", "DB_STICKER"}
)

// number returns what a name stands for; ok is false for what is none of them.
func (e enum) number(name string) (n int, ok bool) {
	for i, s := range e {
		if s == name {
			return i, true
		}
	}
	return 0, false
}

// Kinds of rooms.
const (
	privateRoom = 0
	globalRoom  = 1
	// oldRoom is what the original stores for each room; it is read as globalRoom.
	oldRoom = 12
)

// Kinds of messages.
const (
	textMsg    = 0
	stickerMsg = 3
)

// Lengths in bytes.
const (
	maxText     = 800
	maxRoomName = 100
	maxFileName = 100
)

const (
	maxFile  = 10_000_000 // bytes
	maxCount = 500        // messages that an answer has
	maxRooms = 100        // rooms that a search finds
	maxID    = 1<<31 - 1
)

package core

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/hub"
	clusterv1 "github.com/protocol-bridge/bridge/proto/bridge/cluster/v1"
)

// What operators do reaches all nodes, and those that do not answer within a second are named.

// list adds to a page what other nodes have for it.
func (n *nodes) list(q admin.SessionQuery, page *admin.SessionPage) {
	query, _ := json.Marshal(q) // texts and numbers always can be
	answers, silent := n.AskAll(context.Background(), &clusterv1.Envelope{Body: &clusterv1.Envelope_Sessions{Sessions: &clusterv1.Sessions{Query: query}}})
	more := page.Next != 0
	for _, a := range answers {
		var theirs admin.SessionPage
		if json.Unmarshal(a.GetPage(), &theirs) != nil {
			continue // of a later release, perhaps
		}
		page.Sessions = append(page.Sessions, theirs.Sessions...)
		more = more || theirs.Next != 0
	}
	for _, m := range silent {
		page.Missing = append(page.Missing, m.Node)
	}
	slices.SortFunc(page.Sessions, func(a, b admin.SessionStatus) int { return cmp.Compare(a.ID, b.ID) })
	page.Next = 0
	if q.Limit > 0 && len(page.Sessions) > q.Limit {
		page.Sessions, more = page.Sessions[:q.Limit], true
	}
	if more && len(page.Sessions) > 0 {
		page.Next = page.Sessions[len(page.Sessions)-1].ID
	}
}

// find describes a session of another node.
func (n *nodes) find(home uint16, id admin.ID) (st admin.SessionStatus, ok bool) {
	query, _ := json.Marshal(admin.SessionQuery{After: id - 1, Limit: 1}) // likewise
	a, _ := n.Ask(context.Background(), home, &clusterv1.Envelope{Body: &clusterv1.Envelope_Sessions{Sessions: &clusterv1.Sessions{Query: query}}})
	var page admin.SessionPage
	if json.Unmarshal(a.GetPage(), &page) != nil || len(page.Sessions) != 1 || page.Sessions[0].ID != id {
		return st, false
	}
	return page.Sessions[0], true
}

func (n *nodes) closeThose(req *admin.CloseRequest) int {
	body, _ := json.Marshal(req) // likewise
	return int(n.askCount(context.Background(), &clusterv1.Envelope{Body: &clusterv1.Envelope_Close{Close: &clusterv1.Close{Request: body}}}))
}

func (n *nodes) hand(channel string, m *hub.Message) int {
	h := &clusterv1.Hand{Channel: channel, Content: contentProto(m), Deputies: n.deputies([]string{channel})}
	return int(n.askCount(context.Background(), &clusterv1.Envelope{Body: &clusterv1.Envelope_Hand{Hand: h}}))
}

// status lists the nodes of the cluster, this one first.
func (n *nodes) status(host, version string) []admin.NodeStatus {
	list := []admin.NodeStatus{{Node: n.Node(), Host: host, Version: version, Sessions: n.engine.sessions(), Self: true}}
	for _, m := range n.Others() {
		list = append(list, admin.NodeStatus{Node: m.Node, Host: m.Host, Version: m.Version, Sessions: int(m.Sessions)})
	}
	return list
}

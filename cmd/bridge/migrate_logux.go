package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/plugins/logux"
	"github.com/protocol-bridge/bridge/sdk"
)

// What a Logux server, and a back-end's library, has without settings.
const (
	nodeDefaultHost    = "127.0.0.1"
	nodeDefaultPort    = "31337"
	nodeDefaultControl = "31338"
	railsBackend       = "http://127.0.0.1:3000/logux"
	laravelBackend     = "http://127.0.0.1:8000"
)

// fault is something in the settings that Bridge refuses: what is wrong and what to do, a line each.
type fault struct{ wrong, mend string }

// noted is a value of bridge.hcl with what there is to say about it, or without.
type noted struct{ value, note string }

// loguxPlan is what bridge.hcl says in place of a Logux server's settings.
type loguxPlan struct {
	head []string // comments

	address   noted
	cert, key string // empty: no TLS
	control   noted  // address of a listener for back-ends; empty: they use the first one
	backend   noted  // URL
	version   noted  // of the back-end protocol
	secret    string // name of the variable that holds it
	mask      []string

	subprotocol noted
	supports    noted
	env         noted // empty: production
}

// loguxPlanner gathers what is wrong while the plan is made.
type loguxPlanner struct {
	*settings
	plan   loguxPlan
	faults []fault
}

// planLogux says what bridge.hcl has to say. With faults there is no plan.
func planLogux(s *settings) (*loguxPlan, []fault) {
	p := &loguxPlanner{settings: s}
	if unknown := s.unknownNames(); len(unknown) > 0 {
		p.fault("nobody knows "+strings.Join(unknown, ", "), "Correct the name, or take it out, where it is set: "+p.places()+".")
	}
	p.plan.address.value = net.JoinHostPort(p.host(nodeHost), p.port(nodePort, nodeDefaultPort))
	p.tls()
	p.backend()
	p.version()
	p.control()
	p.mask()
	p.secret()
	p.versionsOfClients()
	p.env()
	p.rest()
	return &p.plan, p.faults
}

func (p *loguxPlanner) fault(wrong, mend string) { p.faults = append(p.faults, fault{wrong, mend}) }

func (p *loguxPlanner) say(format string, args ...any) {
	p.plan.head = append(p.plan.head, fmt.Sprintf(format, args...))
}

// places are where unknown names may stand.
func (p *loguxPlanner) places() string {
	if p.file == "" {
		return inEnvironment
	}
	return p.file + " or " + inEnvironment
}

func (p *loguxPlanner) host(name string) string {
	host := cmp.Or(p.value(name), nodeDefaultHost)
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.ContainsAny(host, " /\t\n%") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
		p.fault(fmt.Sprintf("%s is no host: %q", name, host), "Write an address of this machine or a name, without a port, as 127.0.0.1 or 0.0.0.0.")
	}
	return host
}

func (p *loguxPlanner) port(name, otherwise string) string {
	port := cmp.Or(p.value(name), otherwise)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		p.fault(fmt.Sprintf("%s is no port: %q", name, port), "Write a number from 1 to 65535, as "+otherwise+".")
	}
	return port
}

func (p *loguxPlanner) tls() {
	for _, name := range []string{nodeKey, nodeCert} {
		if strings.HasPrefix(strings.TrimSpace(p.value(name)), "-----BEGIN") {
			p.fault(name+" holds what should be in a file", "Write it into a file, readable for Bridge alone, and its path into "+name+".")
			return
		}
	}
	switch {
	case p.has(nodeKey) && !p.has(nodeCert):
		p.fault(nodeKey+" is set, and no "+nodeCert, "Set both for TLS, or none.")
	case p.has(nodeCert) && !p.has(nodeKey):
		p.fault(nodeCert+" is set, and no "+nodeKey, "Set both for TLS, or none.")
	case p.has(nodeKey):
		p.plan.cert, p.plan.key = p.value(nodeCert), p.value(nodeKey)
		if !filepath.IsAbs(p.plan.cert) || !filepath.IsAbs(p.plan.key) {
			p.say("Paths of the certificate and its key are relative to the folder of this file.")
		}
	}
}

// backend finds where actions are asked. A server that has none answers them itself; what a library alone
// says, as in the .env of an application, lets guess it.
func (p *loguxPlanner) backend() {
	b := &p.plan.backend
	b.value = p.value(nodeBackend)
	if b.value == "" {
		endpoint := p.value(libraryEndpoint)
		switch {
		case strings.HasPrefix(endpoint, "http"):
			b.value = endpoint
		case p.first(libraryControlURL, libraryPassword, libraryVersion, libraryEndpoint) != "":
			b.value, b.note = laravelBackend+"/"+strings.TrimPrefix(cmp.Or(endpoint, "logux"), "/"), "no LOGUX_BACKEND: write where the application is"
		case p.has(libraryURL):
			b.value, b.note = railsBackend, "no LOGUX_BACKEND: write where the application is"
		default:
			p.fault(nodeBackend+" is not set: such a server answers actions by code of its own, which Bridge cannot take over",
				"Set it to where the application takes them, as "+nodeBackend+"="+railsBackend+"; or start this where the server's .env is.")
			return
		}
	}
	u, err := url.Parse(b.value)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		p.fault(nodeBackend+" is no http or https address", "Write the whole address, as "+railsBackend+".")
	case u.User != nil:
		p.fault(nodeBackend+" holds a user or a password", "Take them out: a back-end knows Bridge by the secret.")
	case u.Fragment != "" || strings.Contains(b.value, "#"):
		p.fault(nodeBackend+" has a part behind \"#\"", "Take it out.")
	case u.Path == "" || u.Path == "/":
		b.note = cmp.Or(b.note, "used as it stands: most libraries answer at /logux")
	}
}

// version finds what the back-end speaks: what servers with these settings asked it in.
func (p *loguxPlanner) version() {
	v := &p.plan.version
	since09 := p.first(nodeLogger, nodeSupports)
	upTo06 := p.first(nodePassword, nodeControlHost, nodeControlPort)
	switch {
	case since09 != "":
		v.value = "4"
	case p.has(libraryVersion):
		v.value = p.value(libraryVersion)
		if len(v.value) != 1 || v.value < "1" || v.value > "4" {
			p.fault(fmt.Sprintf("%s is %q, and there are versions 1 to 4", libraryVersion, v.value), "Write the version that the back-end's library speaks.")
		}
		v.note = libraryVersion + "; where @logux/server 0.9 or later was in front, it was 4"
	case upTo06 != "":
		v.value, v.note = "2", "as a server with "+upTo06+" asks, 0.5 or 0.6; 1 if it was older"
	case p.has(nodeReporter):
		v.value, v.note = "3", "as a server with "+nodeReporter+" asks, 0.7 or 0.8"
	default:
		v.value, v.note = "4", "as @logux/server 0.9 to 0.13 asks; 3 if it was 0.7 or 0.8"
	}
}

// control finds whether back-ends post to a listener of their own.
func (p *loguxPlanner) control() {
	c := &p.plan.control
	if old := p.first(nodeControlHost, nodeControlPort, nodePassword); old != "" {
		*c = noted{net.JoinHostPort(p.host(nodeControlHost), p.port(nodeControlPort, nodeDefaultControl)), "back-ends post here: " + old}
		if overlap(c.value, p.plan.address.value) {
			*c = noted{}
		}
	}
	name := p.first(libraryURL, libraryControlURL)
	if name == "" {
		return
	}
	u, err := url.Parse(p.value(name))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		p.fault(name+" is no http or https address, without a user", "Write the whole address of the control endpoint, as http://127.0.0.1:31337/.")
		return
	}
	p.say("%s: the back-end posts to %s; that has to reach a listener below.", name, u.Redacted())
	if u.Path != "" && u.Path != "/" {
		p.say("  Back-ends post to the path \"/\", so take %q out of it.", u.Path)
	}
	port := u.Port()
	if _, mine, _ := net.SplitHostPort(p.plan.address.value); port == "" || port == "0" || port == mine || c.value != "" || u.Scheme == "https" {
		return // by way of a proxy, or as it should be
	}
	*c = noted{net.JoinHostPort(nodeDefaultHost, port), "back-ends post here: " + name}
	if !local(u.Hostname()) {
		c.value, c.note = net.JoinHostPort("", port), "back-ends post here: "+name+"; control_mask says which"
	}
}

// overlap says whether only one of two addresses can be listened on.
func overlap(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	everything := func(host string) bool { return host == "" || net.ParseIP(host).IsUnspecified() }
	return portA == portB && (hostA == hostB || everything(hostA) || everything(hostB) || local(hostA) && local(hostB))
}

func (p *loguxPlanner) mask() {
	for block := range strings.SplitSeq(p.value(nodeMask), ",") {
		if block = strings.TrimSpace(block); block != "" {
			p.plan.mask = append(p.plan.mask, block)
		}
	}
	if wrong := complaint(&logux.RouteConfig{ControlMask: p.plan.mask}); wrong != "" {
		p.fault(nodeMask+" is no list of networks. "+wrong, "Write networks with commas between them, as 127.0.0.1/8,10.0.0.0/8.")
	}
}

// complaint says what the plugin has against a configuration, or nothing.
func complaint(c *logux.RouteConfig) string {
	c.Ping, c.Timeout = time.Second, time.Second
	err := c.Validate()
	if why, ok := errors.AsType[*sdk.Complaint](err); ok {
		return why.Text
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func (p *loguxPlanner) secret() {
	name := p.first(nodeSecret, nodePassword, libraryPassword)
	if name == "" {
		p.fault("no secret: neither "+nodeSecret+" nor an older name for it is set",
			"Set "+nodeSecret+" here and at the back-end, to something long and random: openssl rand -base64 48.")
		return
	}
	p.plan.secret = name
	exposed := !local(p.plan.address.value) || p.plan.control.value != "" && !local(p.plan.control.value)
	if u, err := url.Parse(p.plan.backend.value); err == nil && u.Hostname() != "" && !local(u.Hostname()) {
		exposed = true
	}
	if exposed && config.WeakSecret(p.value(name)) {
		p.fault(name+" is a word that everybody tries first, and others than this machine are kept out by it",
			"Make up one that is long and random, here and at the back-end: openssl rand -base64 48.")
	}
	switch from := p.of[name].from; from {
	case inEnvironment:
	case inArguments:
		p.say("%s was an argument, which everybody on the machine can read. Bridge takes it from its environment.", name)
	default:
		p.say("Bridge does not read %s. It wants %s in its environment:", from, name)
		p.say("  export %s, or EnvironmentFile= of systemd, or --env-file of a container", name)
	}
}

// local says whether an address, or a host, is this machine's alone.
func local(address string) bool { return (&config.Listener{Address: address}).Loopback() }

func (p *loguxPlanner) versionsOfClients() {
	own := p.value(nodeSubprotocol)
	p.plan.subprotocol.value = own
	if _, err := strconv.ParseUint(own, 10, 32); err == nil {
		p.plan.subprotocol = noted{own + ".0.0", nodeSubprotocol + "=" + own + ", as back-ends are told it"}
	}
	supports := p.value(nodeSupports)
	p.plan.supports.value = supports
	if lowest := p.value(nodeMinSubprotocol); lowest != "" && supports == "" {
		if _, err := strconv.ParseUint(lowest, 10, 32); err != nil {
			p.fault(fmt.Sprintf("%s is no number: %q", nodeMinSubprotocol, lowest), "Write the lowest version of clients that is served, as 2.")
			return
		}
		p.plan.supports = noted{">=" + lowest + ".0.0", nodeMinSubprotocol + "=" + lowest}
	}
	if wrong := complaint(&logux.RouteConfig{Supports: p.plan.supports.value}); wrong != "" {
		p.fault(nodeSupports+" is no range of versions. "+wrong, "Write it as npm does, or take it out: the back-end can tell as well.")
	}
}

func (p *loguxPlanner) env() {
	switch p.value(nodeEnv) {
	case "":
		p.plan.env = noted{"development", "Node's default, as NODE_ENV is not set; take it out where others connect"}
	case "development":
		p.plan.env = noted{"development", "NODE_ENV"}
	}
}

// rest says what to do where Bridge has no setting.
func (p *loguxPlanner) rest() {
	if name := p.first(nodeLogger, nodeReporter); name != "" {
		format := "text"
		if p.value(name) == "json" {
			format = "json"
		}
		p.say("%s: bridge run --log-format %s", name, format)
	}
	if p.has(nodeRedis) {
		p.say("%s: nothing to do. It had no effect in the open server, and Bridge needs no Redis.", nodeRedis)
	}
	if p.has(libraryConfig) {
		p.say("%s is the back-end's own; nothing of it was read.", libraryConfig)
	}
	if p.first(nodeSecret, nodePassword) != "" && p.has(libraryPassword) && p.value(p.plan.secret) != p.value(libraryPassword) {
		p.say("%s is not the same as %s: the back-end has to have the latter.", libraryPassword, p.plan.secret)
	}
}

// Package broker is the NATS behind queues and the cluster: a server in this process, alone or joined
// with those of other nodes, or a connection to servers elsewhere. It knows nothing of what is said
// there; core/queue and core/cluster do.
//
// A node that is alone opens no port: its one client is this process.
package broker

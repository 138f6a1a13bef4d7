// Package cluster is what the nodes of a cluster know and say of each other: who is there, whose number is
// whose, who holds a name, and messages to one node or to all. It stands on core/broker, and knows nothing
// of sessions and plugins: what a message asks for is the [Handler]'s.
//
//   - The numbers of nodes are leased in a bucket that every node can read and only one can write at a
//     time. A lease belongs to the folder of data of a node, and is hers again after each start.
//   - A node says twice a second that it lives; one that is not heard of for four seconds is taken for
//     gone. That decides who is waited for and whose names are free, never whose number is whose.
//   - Names that one session in the cluster holds are entries of a second bucket. Who writes an entry has
//     the name; every node watches them, so that whoever lost one learns of it, also after it was cut off.
//   - Messages go at most once: over what NATS keeps in memory, with nobody to repeat them.
package cluster

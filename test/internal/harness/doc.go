// Package harness runs the bridge command for the stories of package test: the real program with
// real children, back-ends that note what they were asked, and clients that check what they get.
//
// It reads /proc, so it is of Linux alone, as are the stories.
package harness

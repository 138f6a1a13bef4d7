//go:build race

package listen

// raceEnabled says that pools drop things at random.
const raceEnabled = true

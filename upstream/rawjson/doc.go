// Package rawjson reads JSON without decoding it: values stay the bytes that somebody wrote, so
// numbers keep their digits, and keys their order and case.
//
//   - [Splitter] cuts a streamed top-level array into its elements, as their last bytes arrive, and
//     checks that each is valid JSON. [Valid] is the same check for one value.
//   - [Members] and [Elements] walk a value that was checked; [Text], [Equal] and [KindOf] look at one.
//   - [AppendString] writes a string.
//
// It does no I/O, keeps nothing between values, and knows no protocol.
package rawjson

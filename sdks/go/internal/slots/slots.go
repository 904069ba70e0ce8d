// Package slots says which hash slot a name has: CRC-16/XMODEM as in the Redis cluster specification
// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec).
package slots

import "strings"

// Count is the number of hash slots that names are spread over.
const Count = 16_384

const polynomial = 0x1021

var remainders = func() (table [256]uint16) {
	for value := range table {
		remainder := uint16(value) << 8
		for range 8 {
			if remainder&0x8000 == 0 {
				remainder <<= 1
			} else {
				remainder = remainder<<1 ^ polynomial
			}
		}
		table[value] = remainder
	}
	return table
}()

// Of returns the slot of a key, queue or topic name. Where the name has a `{` with a `}` somewhere behind it and
// something between the two, only what is between the first such `{` and the first `}` after it counts: names that
// share such a tag share a slot.
func Of(name string) int {
	if open := strings.IndexByte(name, '{'); open >= 0 {
		if length := strings.IndexByte(name[open+1:], '}'); length > 0 {
			name = name[open+1 : open+1+length]
		}
	}
	return int(crc16(name)) % Count
}

func crc16(text string) uint16 {
	var crc uint16
	for i := range len(text) {
		crc = crc<<8 ^ remainders[byte(crc>>8)^text[i]]
	}
	return crc
}
